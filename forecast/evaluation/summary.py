"""The result of an evaluation, and how its figures are written."""

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.verdict import Verdict

# in the order of a table's columns; of coverage there is one column per level, "coverage-80", and so on
FAMILIES = (
    "MASE", "skill", "OWA", "sMAPE", "MAE", "RMSE", "RMSSE", "MAPE", "WAPE", "pinball", "CRPS", "WQL", "MSIS",
    "coverage", "logloss", "Brier", "accuracy",
)  # fmt: skip
SHOWN = (
    "MASE",
    "logloss",
    "skill",
    "OWA",
    "sMAPE",
    "MAE",
    "RMSE",
    "CRPS",
    "coverage",
    "Brier",
    "accuracy",
)  # what fits a terminal
LEGEND = {
    "MASE": "MASE is the mean absolute error over that of the seasonal-naive method before the cutoff",
    "RMSSE": "RMSSE is the root mean squared error over that of the seasonal-naive method before the cutoff",
    "skill": "skill is the share of {baseline}'s {metric} that is saved",
    "OWA": "OWA is the mean of sMAPE and MASE relative to Naive2's",
    "sMAPE": "sMAPE runs from 0 to 1",
    "MAPE": "MAPE leaves out values of zero",
    "WAPE": "WAPE is the summed absolute error over the summed absolute target",
    "MAE": "MAE, RMSE and pinball are in units of the target",
    "CRPS": "CRPS is in units of the mean absolute target",
    "WQL": "WQL is the CRPS of all series together",
    "MSIS": "MSIS is the interval score over the scale of MASE",
    "coverage": "coverage is the share of values inside the interval",
    "logloss": "logloss is the mean of -log(probability of what came)",
    "Brier": "Brier is the squared distance of the probabilities from what came, 0 to 2",
    "accuracy": "accuracy is how often the likeliest category came",
}
MOST_DECIMALS = 12
_SHARE = re.compile(r"skill|MAPE|WAPE|coverage-.+|accuracy")
_FIXED = {"MASE": 3, "RMSSE": 3, "OWA": 3, "sMAPE": 4, "CRPS": 4, "WQL": 4, "logloss": 4, "Brier": 4}


def check_metrics(metrics: Iterable[str] | None) -> tuple[str, ...] | None:
    """Metrics in the spelling of a table's columns: families such as "coverage", or columns such as "coverage-80".

    Raises
    ------
    ParameterError
        If one of them is unknown.
    """
    if metrics is None:
        return None
    known = {family.lower(): family for family in FAMILIES}
    found = []
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        name, dash, member = str(metric).partition("-")
        if name.lower() not in known:
            raise ParameterError(f"The metric {metric!r} is unknown; choose among {', '.join(FAMILIES)}.")
        found.append(known[name.lower()] + dash + member)
    return tuple(dict.fromkeys(found))


def chosen_columns(columns: Iterable[str], metrics: tuple[str, ...] | None) -> list[str]:
    """The columns that these metrics mean, in their order; all columns if None.

    Raises
    ------
    ParameterError
        If there is no column for one of them.
    """
    names = [str(column) for column in columns]
    if metrics is None:
        return names
    found: dict[str, None] = {}
    for metric in metrics:
        members = [name for name in names if metric in (name, name.partition("-")[0])]
        if not members:
            needs = {"OWA": "Naive2 among the models", "skill": "a naive method among the models"}
            what = needs.get(metric, "forecasts with that level or quantile")
            raise ParameterError(f"The metric {metric!r} needs {what}; add it to the backtest.")
        found |= dict.fromkeys(members)
    return list(found)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well each model forecast, and which one to use."""

    table: pd.DataFrame
    """One row per model (index ``model``), best first; MASE, skill, OWA if ``Naive2`` was compared, sMAPE (0 to 1),
    MAE, RMSE, RMSSE, MAPE, WAPE, and where the backtest has intervals or quantiles also pinball, CRPS, WQL,
    MSIS-80 ..., coverage-80 ... (0 to 1) and pinball-0.1 ...; for categories logloss, skill, Brier and accuracy."""

    verdict: Verdict
    baseline: str | None
    """What skill is measured against; None where no naive model was compared."""

    notes: tuple[str, ...] = ()
    """What was left out or replaced: sentences for the user."""

    metrics: tuple[str, ...] | None = None
    """What to print; None for those that fit a terminal."""

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of the table to print."""
        if self.metrics is not None:
            return self.table[chosen_columns(self.table.columns, self.metrics)]
        there = {str(column).partition("-")[0] for column in self.table.columns}
        return self.table[chosen_columns(self.table.columns, tuple(name for name in SHOWN if name in there))]

    def __str__(self) -> str:
        table = formatted(self.shown).rename_axis(index=None, columns="model").to_string()
        lines = [table, "", self.verdict.text]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def legend(self) -> str:
        """One sentence on the units of the columns that are there."""
        columns = {str(column).partition("-")[0] for column in self.shown.columns}
        metric = "logloss" if "logloss" in self.table else "MASE"
        parts = [text.format(baseline=self.baseline, metric=metric) for name, text in LEGEND.items() if name in columns]
        return "; ".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Everything in types that JSON knows; figures that do not exist are None."""
        rows = self.table.reset_index().to_dict(orient="records")
        table = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
        return {
            "table": table,
            "verdict": {**asdict(self.verdict), "significant": self.verdict.significant},
            "baseline": self.baseline,
            "notes": list(self.notes),
        }


def formatted(table: pd.DataFrame) -> pd.DataFrame:
    """The figures of an evaluation as rounded text, one number of decimals per column.

    Shares (skill, coverage) become percentages; a figure that does not exist becomes a dash.
    """
    return pd.DataFrame({column: _written(table[column], str(column)) for column in table}, index=table.index)


def best(table: pd.DataFrame) -> dict[str, set[Any]]:
    """The models with the best figure in each column: the lowest error, highest skill, nearest coverage."""
    winners = {}
    for column in map(str, table.columns):
        values = table[column]
        if column in ("skill", "accuracy"):
            values = -values
        elif column.startswith("coverage-"):
            values = (values - float(column.removeprefix("coverage-")) / 100).abs()
        winners[column] = set(table.index[values <= values.min()])
    return winners


def decimals(largest: float, digits: int = 4) -> int:
    """How many decimals show a number of this size with ``digits`` significant digits; none if it takes too many."""
    if not math.isfinite(largest) or round(largest, MOST_DECIMALS) == 0:
        return 0
    return min(max(digits - 1 - math.floor(math.log10(abs(largest))), 0), MOST_DECIMALS)


def _written(values: pd.Series, column: str) -> list[str]:
    if _SHARE.fullmatch(column):
        sign = "+" if column == "skill" else ""
        return ["-" if math.isnan(value) else f"{value:{sign}z.1%}" for value in values]
    places = _FIXED[column] if column in _FIXED else decimals(float(values.abs().max()))
    return ["-" if math.isnan(value) else f"{value:z.{places}f}" for value in values]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
