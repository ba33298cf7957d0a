"""Forecaster: the one object that a pipeline holds."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import pandas as pd

from forecast.defaults import COVARIATE_MODELS, DEFAULT_MODELS
from forecast.errors import NotFittedError, ParameterError
from forecast.evaluation.backtest import backtest, check_intervals, check_names
from forecast.evaluation.intervals import attach, check_levels, check_quantiles, probabilities
from forecast.evaluation.output import Output
from forecast.evaluation.ready import calibration_notes, make_ready
from forecast.models import create
from forecast.models.base import Fitted, Model, compile_kernels, covariate_notes
from forecast.progress import Progress, Silent
from forecast.series.again import freq_of, has_no_values, new_series, places_of
from forecast.series.append import extended
from forecast.series.frame import as_names, read_panel, table_of
from forecast.series.future import with_future
from forecast.series.panel import Panel
from forecast.series.roles import Names

if TYPE_CHECKING:
    from forecast.evaluation.summary import Evaluation

Data: TypeAlias = "str | Path | pd.DataFrame | pd.Series[Any] | Panel"


class Forecaster:
    """Fits models to a panel of series, forecasts, and judges the models by backtests.

    Parameters
    ----------
    models : sequence of Model or Model, optional
        Methods; by default ``Pretrained()``, ``AutoARIMA()`` and ``SeasonalNaive()``, and where covariates are declared
        ``LSTM()`` in place of the first, which uses none. Their names must differ.
    freq : str or int, optional
        A pandas alias such as "MS", or an integer step; inferred if left out.
    season_length : int, optional
        Steps of one season; by frequency if left out.
    id_col, time_col, target_col : str, optional
        The caller's column names; guessed when plain. Outputs carry them back.
    tz : str, optional
        Time zone of stamps that carry none, e.g. "Europe/Paris".
    future, historic, static : str or iterable of str, optional
        Columns that models may use as covariates: known ahead over the horizon; known up to the cutoff alone; one
        value for each series, a number or a text as a category. A column that is not declared is not used.
    static_data : path or DataFrame, optional
        Static covariates in a table of their own, one row for each series.
    calendar : str or iterable of str, optional
        Features of the stamps, e.g. ``["month", "dayofweek", "hour"]``; see `forecast.series.roles.Declared`.
    holidays : str or iterable of str, optional
        Countries whose public holidays are flagged, e.g. "AT" or "DE-BY"; needs ``gatecast[holidays]``.
    categorical : bool, default False
        Whether the target is one of categories even if it holds numbers, such as the codes 0, 1, 2; texts are so
        without being called it. Name models of categories, such as ``CategoricalLSTM()``.

    Attributes
    ----------
    panel_ : Panel
        The histories that were read last by ``fit`` or ``backtest``.
    fitted_ : dict of str to Fitted
        What each model learned in ``fit``, by its name.

    Examples
    --------
    >>> from forecast import Forecaster, Naive, datasets
    >>> fc = Forecaster(Naive()).fit(datasets.load("air_passengers"))
    >>> fc.predict(2)
      unique_id  timestamp  Naive
    0     value 1961-01-01  432.0
    1     value 1961-02-01  432.0
    """

    def __init__(
        self,
        models: Sequence[Model] | Model | None = None,
        freq: str | int | None = None,
        season_length: int | None = None,
        *,
        id_col: str | None = None,
        time_col: str | None = None,
        target_col: str | None = None,
        tz: str | None = None,
        future: Names = (),
        historic: Names = (),
        static: Names = (),
        static_data: "str | Path | pd.DataFrame | None" = None,
        calendar: Names = (),
        holidays: Names = (),
        categorical: bool = False,
    ) -> None:
        if models is None:
            declared = any((future, historic, static, calendar, holidays))
            models = [create(name) for name in (COVARIATE_MODELS if declared else DEFAULT_MODELS)]
        self.models: list[Model] = [models] if isinstance(models, Model) else list(models)
        if not self.models or not all(isinstance(model, Model) for model in self.models):
            raise ParameterError(f"Forecaster needs models such as LSTM(); got {models!r}.")
        self._reading: dict[str, Any] = {
            "freq": freq,
            "season_length": season_length,
            "id_col": id_col,
            "time_col": time_col,
            "target_col": target_col,
            "tz": tz,
            "future": as_names(future),
            "historic": as_names(historic),
            "static": as_names(static),
            "static_data": static_data,
            "calendar": as_names(calendar),
            "holidays": as_names(holidays),
            "categorical": categorical,
        }
        self.fitted_: dict[str, Fitted] = {}
        self._panel: Panel | None = None
        self._known: Panel | None = None  # whose columns tell where to look in other data

    @property
    def panel_(self) -> Panel:
        if self._panel is None:
            raise NotFittedError("This Forecaster has seen no data yet; call fit or backtest first.")
        return self._panel

    def read(self, df: Data) -> Panel:
        """Read data as ``fit`` does: a path, a long, wide or single-series frame, a Series, or a Panel."""
        return self._read(df, self._known)

    def _read(self, df: Data, known: Panel | None) -> Panel:
        """Read data; what the caller did not name is looked for where ``known`` had it before it is guessed."""
        if known is None or isinstance(df, Panel | pd.Series):
            return read_panel(df, **self._reading)
        table = table_of(df)
        named = {option: name for option, name in self._reading.items() if name is not None}
        places = places_of(table, known, self._known is not None)
        always = {"categorical": bool(known.categories), "least": 1}
        panel = read_panel(table, **self._reading | places | {"freq": freq_of(known)} | named | always)
        return panel.with_notes(new_series(panel, known))

    def fit(self, df: Data, h: int | None = None, progress: Progress | None = None) -> "Forecaster":
        """Fit every model; fitting again starts afresh.

        Parameters
        ----------
        df : path, DataFrame, Series or Panel
            The histories.
        h : int, optional
            The horizon that will be asked for: networks then emit it at once.
        progress : Progress, optional
            Told how far each model is.

        Returns
        -------
        Forecaster
            This object.

        Raises
        ------
        DataError
            If the data cannot be used; the sentence names the column or series, the value and the fix.
        """
        panel = self.read(df)
        check_names(self.models, panel)
        compile_kernels(self.models, progress)
        fitted = {model.name: model.fit(panel, h, progress) for model in self.models}
        self._panel, self.fitted_ = panel.with_notes(covariate_notes(self.models, panel)), fitted
        return self

    def update(self, df: Data) -> "Forecaster":
        """Put newer rows behind the histories; what was learned is kept, and ``predict`` forecasts from their new ends.

        Models with ``stream=True`` (LSTM, XLSTM) see the new rows alone, and their forecasts then cost the same however
        long the histories are; all others forecast from the longer histories, as ``predict`` does with ``df``.

        Parameters
        ----------
        df : path, DataFrame, Series or Panel
            Rows after the last stamp of each series, in the columns of ``fit``; a series may have none, and steps
            without a row, or with an empty target, are unobserved. Static covariates stay as they were.

        Returns
        -------
        Forecaster
            This object; without rows, or without a value in them, nothing changes.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError
            If rows overlap with the histories, lie off their grid, or belong to a series that is not among them.
        """
        if not self.fitted_:
            raise NotFittedError("This Forecaster is not fitted; call fit before update.")
        before = self.panel_
        newer = self._newer(df, before)
        if newer is None:
            return self
        panel = extended(before, newer)
        for fitted in self.fitted_.values():
            fitted.update(panel, before)
        self._panel = panel
        return self

    def _newer(self, df: Data, known: Panel) -> Panel | None:
        """Rows that follow a panel, read as it was; None if they hold no value."""
        if isinstance(df, Panel):
            return df
        table = table_of(df)
        named = {option: name for option, name in self._reading.items() if name is not None}
        fixed = {"freq": freq_of(known), "static": (), "static_data": None}
        places = places_of(table, known, strictly=True)
        if has_no_values(table, known, named.get("target_col") or places.get("target_col")):
            return None
        return read_panel(table, **self._reading | places | named | fixed, least=1)

    def predict(
        self,
        h: int,
        level: Iterable[float] | None = None,
        quantiles: Iterable[float] | None = None,
        df: "Data | None" = None,
        future: "str | Path | pd.DataFrame | None" = None,
        *,
        intervals: str = "native",
        non_negative: bool = False,
        integer: bool = False,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Forecast the ``h`` steps after the end of each series.

        Parameters
        ----------
        h : int
            Steps ahead.
        level : iterable of float, optional
            Prediction intervals in percent, e.g. ``[80, 95]``: columns ``LSTM-lo-80``, ``LSTM-hi-80``.
        quantiles : iterable of float, optional
            Single quantiles, e.g. ``[0.1, 0.9]``.
        df : path, DataFrame, Series or Panel, optional
            Histories to forecast from instead of those of ``fit``; parameters are kept.
        future : path or DataFrame, optional
            The covariates that were declared as known ahead, over the ``h`` steps: identifier (if series differ), time
            and their columns. Rows of the histories with an empty target after the last value do as well.
        intervals : {"native", "conformal"}, default "native"
            Quantiles as the models give them, or calibrated on the last windows of the histories: each model is
            then fitted once more, on histories shortened by a third.
        non_negative : bool, default False
            Raise points and quantiles below zero to zero.
        integer : bool, default False
            Round points and medians to whole numbers, other quantiles outwards.
        progress : Progress, optional
            Told how far the fits for calibration are.

        Returns
        -------
        DataFrame
            Identifier, time, and each model's columns; S * h rows. Sentences on intervals that could not be
            calibrated are in ``attrs["notes"]``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError
            If a covariate that is used has no value at some step; the sentence names series and stamps.
        """
        if not self.fitted_:
            raise NotFittedError("This Forecaster is not fitted; call fit before predict.")
        panel = self.panel_ if df is None else self._read(df, self.panel_)
        if future is not None:
            panel = with_future(panel, future, h)
        level, quantiles = check_levels(level), check_quantiles(quantiles)
        asked, calibrated, output = (
            probabilities(level, quantiles),
            check_intervals(intervals),
            Output(non_negative, integer),
        )
        prepared = []
        frame = panel.future_frame(h)
        progress = progress or Silent()
        progress.start("forecast", len(self.fitted_))
        try:
            for name, fitted in self.fitted_.items():
                ready = make_ready(fitted.model, panel, h, asked, calibrated, progress, fitted)
                forecast = output.of(ready.predict(panel, h, asked), asked)
                frame = attach(frame, name, forecast, level, quantiles)
                prepared.append(ready)
                progress.advance()
        finally:
            progress.finish()
        frame.attrs["notes"] = calibration_notes(prepared)
        return frame

    def backtest(
        self,
        df: Data,
        h: int,
        n_windows: int = 1,
        step_size: int | None = None,
        refit: bool | int = True,
        input_size: int | None = None,
        level: Iterable[float] | None = None,
        quantiles: Iterable[float] | None = None,
        progress: Progress | None = None,
        *,
        intervals: str = "native",
        non_negative: bool = False,
        integer: bool = False,
        output: str | Path | None = None,
        keep: bool = True,
        future_exog: str = "realised",
    ) -> pd.DataFrame:
        """Forecast the last windows as if they had not happened yet; see `forecast.backtest`.

        Parameters
        ----------
        output : path, optional
            A .csv or .parquet file for the rows; it appears when it is whole.
        keep : bool, default True
            False returns no rows, so that a backtest may be larger than the memory; it needs ``output``, to which rows
            are then written as they come: cutoff by cutoff, not series by series.
        """
        from forecast.reporting.stream import table_writer

        if output is None and not keep:
            raise ParameterError("keep=False leaves no place for the rows; give output, a .csv or .parquet file.")
        panel = self.read(df)
        compile_kernels(self.models, progress)
        with nullcontext() if output is None else table_writer(output) as sink:
            cv = backtest(
                self.models, panel, h, n_windows, step_size, refit, input_size, level, quantiles, progress,
                intervals=intervals, non_negative=non_negative, integer=integer, sink=None if keep else sink, keep=keep,
                future_exog=future_exog,
            )  # fmt: skip
            if sink is not None and keep:
                sink(cv)
        self._panel = panel
        return cv

    @overload
    def evaluate(
        self, cv: pd.DataFrame, baseline: str = ..., *, by: None = ..., metrics: Iterable[str] | None = ...
    ) -> "Evaluation": ...

    @overload
    def evaluate(
        self, cv: pd.DataFrame, baseline: str = ..., *, by: str, metrics: Iterable[str] | None = ...
    ) -> pd.DataFrame: ...

    def evaluate(
        self,
        cv: pd.DataFrame,
        baseline: str = "SeasonalNaive",
        *,
        by: str | None = None,
        metrics: Iterable[str] | None = None,
    ) -> "Evaluation | pd.DataFrame":
        """Errors, skill against the baseline, coverage and verdict of a backtest; see `forecast.evaluate`.

        Parameters
        ----------
        cv : DataFrame
            What ``backtest`` returned.
        baseline : str, default "SeasonalNaive"
            What skill is measured against.
        by : {"series", "step", "window"}, optional
            Give the figures of each series, step ahead or window instead, as a DataFrame.
        metrics : iterable of str, optional
            Which to print, or with ``by`` to keep, e.g. ``["MASE", "WAPE", "coverage"]``.
        """
        from forecast.evaluation.metrics import breakdown, evaluate

        if by is None:
            return evaluate(cv, self.panel_, self.models, baseline, metrics)
        return breakdown(cv, self.panel_, self.models, by, baseline, metrics)

    def save(self, path: str | Path) -> None:
        """Write models and histories to one file (safetensors, with JSON in its header; never pickle)."""
        from forecast import storage

        if not self.fitted_:
            raise NotFittedError("This Forecaster is not fitted; there is nothing to save.")
        storage.save(path, self.panel_, self.fitted_)

    @classmethod
    def load(cls, path: str | Path) -> "Forecaster":
        """Read what ``save`` wrote; forecasts then have the same bits.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, of another version, or no model file.
        """
        from forecast import storage

        panel, fitted = storage.load(path)
        names = panel.columns
        forecaster = cls(
            [one.model for one in fitted.values()],
            freq_of(panel),
            panel.season_length,
            tz=names.tz,
            **asdict(panel.declared),
            static_data=pd.DataFrame({names.id: panel.ids, **panel.statics}) if panel.statics else None,
            categorical=bool(panel.categories),
        )
        forecaster._panel, forecaster.fitted_ = panel, fitted
        forecaster._known = panel
        return forecaster
