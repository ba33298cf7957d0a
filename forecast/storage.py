"""Save and load: one safetensors file with a JSON document in its header; never pickle.

The arrays are the panel's and each model's state; the document says what they are. Nothing in a file is executed: model
classes are looked up in the registry, and every length is checked before a kernel sees it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ForecastError, ModelFileError
from forecast.models import class_of, name_of
from forecast.models.base import Fitted, Model
from forecast.series.frequency import parse_frequency
from forecast.series.panel import Columns, Panel
from forecast.series.roles import Declared

FORMAT = 3
KEY = "gatecast"
Arrays = dict[str, npt.NDArray[Any]]

# what a document of the wrong shape makes the code that reads it raise
_DAMAGE = (
    LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, MemoryError, RecursionError,
    OSError,
)  # fmt: skip


def save(path: str | Path, panel: Panel, fitted: Mapping[str, Fitted]) -> None:
    """Write a panel and fitted models; the file appears whole or not at all.

    Raises
    ------
    ParameterError
        If the file cannot be written there.
    """
    from safetensors.numpy import save as dump

    from forecast import __version__
    from forecast.reporting.report import write_text_atomic

    arrays, document = _panel_out(panel)
    models = []
    for k, one in enumerate(fitted.values()):
        state, extra = one.state()
        arrays |= {f"model.{k}.{name}": values for name, values in state.items()}
        models.append({"model": name_of(one.model), "config": _config(one.model), "state": extra})
    header = {"format": FORMAT, "version": __version__, "panel": document, "models": models}
    metadata = {KEY: json.dumps(header, default=_plain)}
    write_text_atomic(path, dump({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata))


def load(path: str | Path) -> tuple[Panel, dict[str, Fitted]]:
    """Read what `save` wrote.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, of another version, or no model file.
    """
    header, arrays = _read(Path(path))
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} was written by gatecast {header.get('version')!r} in format {header.get('format')!r}; "
            f"this version reads format {FORMAT}: fit the model again."
        )
    try:
        panel = _panel_in(header["panel"], arrays)
        _expect(len(header["models"]) >= 1, "it holds no model")
        fitted = {}
        for k, entry in enumerate(header["models"]):
            kind = class_of(entry["model"])
            model = kind(**{name: _frozen(value) for name, value in entry["config"].items()})
            prefix = f"model.{k}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            fitted[model.name] = kind.fitted_type.from_state(model, own, entry["state"])
    except (*_DAMAGE, ForecastError) as error:
        raise ModelFileError(f"{path} is damaged ({_reason(error)}); fit and save the model again.") from error
    return panel, fitted


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Header document and arrays of a model file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}; make one with `forecast fit FILE -o {path.name}`.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})[KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except PermissionError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (SafetensorError, *_DAMAGE) as error:
        raise ModelFileError(f"{path} is not a gatecast model, or it is truncated ({_reason(error)}).") from error
    if not isinstance(header, dict):
        raise ModelFileError(f"{path} is not a gatecast model: its header is no JSON object.")
    return header, arrays


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200]


def _config(model: Model) -> dict[str, Any]:
    """A model's fields; initial weights are left out, since what came of them is in its state."""
    return {f.name: getattr(model, f.name) for f in fields(model) if f.name != "weights"}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as JSON has them."""
    return value.tolist()


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, as configs have them."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _panel_out(panel: Panel) -> tuple[Arrays, dict[str, Any]]:
    arrays: Arrays = {"y": panel.y, "indptr": panel.indptr, "starts": panel.starts.astype(np.int64)}
    arrays |= {f"covariate.{name}": values for name, values in panel.covariates.items()}
    arrays |= {f"ahead.{name}": values for name, values in panel.ahead.items()}
    numbers = {name: values for name, values in panel.statics.items() if values.dtype == np.float64}
    arrays |= {f"static.{name}": values for name, values in numbers.items()}
    return arrays, {
        "ids": [one.item() if isinstance(one, np.generic) else one for one in panel.ids],
        "freq": panel.frequency.alias,
        "season_length": panel.season_length,
        "columns": asdict(panel.columns),
        "covariates": list(panel.covariates),
        "notes": list(panel.notes),
        "declared": asdict(panel.declared),
        "ahead": list(panel.ahead),
        "categories": {name: list(values) for name, values in panel.statics.items() if name not in numbers},
    }


def _panel_in(document: Mapping[str, Any], arrays: Arrays) -> Panel:
    """The panel, with every length checked: kernels do not check bounds."""
    alias = document["freq"]
    frequency = parse_frequency(int(alias) if alias.isdigit() else alias)
    names, notes, columns = document["ids"], document["notes"], Columns(**document["columns"])
    _expect(all(isinstance(name, str | int) for name in names) and len(names) >= 1, "the identifiers are no names")
    _expect(all(isinstance(note, str) for note in notes), "the notes are no text")
    _expect(all(isinstance(name, str) for name in (columns.id, columns.time, columns.target)), "a column has no name")
    _expect(int(document["season_length"]) >= 1, "the season is shorter than a step")
    pd.Timestamp(0, tz=columns.tz)  # an unknown zone would only show in the forecasts
    ids = np.empty(len(names), object)
    ids[:] = names
    y, indptr, starts = arrays["y"], arrays["indptr"], arrays["starts"]
    covariates = {name: arrays[f"covariate.{name}"] for name in document["covariates"]}
    kinds = y.dtype == np.float64 and indptr.dtype == np.int64 and starts.dtype == np.int64
    _expect(kinds and y.ndim == 1, "the values have another type or shape")
    _expect(indptr.shape == (len(ids) + 1,) and starts.shape == (len(ids),), "there are fewer lengths than series")
    inside = (indptr >= 0) & (indptr <= len(y))  # differences alone could wrap around
    _expect(inside.all() and (np.diff(indptr) >= 1).all(), "the lengths do not ascend")
    _expect(indptr[0] == 0 and indptr[-1] == len(y), "the lengths do not fit the values")
    fitting = all(values.shape == y.shape and values.dtype == np.float64 for values in covariates.values())
    _expect(fitting, "a covariate does not fit the values")
    panel = Panel(
        ids=ids,
        indptr=indptr,
        y=y,
        starts=starts if frequency.is_integer else starts.astype("datetime64[ns]"),
        frequency=frequency,
        season_length=int(document["season_length"]),
        columns=Columns(**document["columns"]),
        covariates=covariates,
        notes=tuple(document["notes"]),
        **_declared_in(document, arrays, covariates, len(ids)),
    )
    known = not pd.isna(panel.starts).any() and not pd.isna(panel.future(1)).any()
    _expect(known, "the stamps cannot be continued")
    return panel


def _declared_in(document: Mapping[str, Any], arrays: Arrays, covariates: Arrays, series: int) -> dict[str, Any]:
    """What a panel knows of its covariates beside their past; files of before there was such a thing have none."""
    declared = Declared(**document.get("declared", {}))
    ahead = {name: arrays[f"ahead.{name}"] for name in document.get("ahead", ())}
    statics = {name: arrays[f"static.{name}"] for name in declared.static if f"static.{name}" in arrays}
    for name, values in document.get("categories", {}).items():
        _expect(all(value is None or isinstance(value, str) for value in values), "a category is no text")
        statics[name] = np.array(values, object)
    shapes = all(a.ndim == 2 and len(a) == series and a.dtype == np.float64 for a in ahead.values())
    kinds = all(a.shape == (series,) and a.dtype in (np.float64, object) for a in statics.values())
    _expect(shapes and kinds, "covariates have another type or shape")
    past = {*covariates} >= {*declared.known, *declared.historic}
    _expect(past and {*statics} == {*declared.static} and {*ahead} <= {*declared.future}, "a covariate is missing")
    return {"declared": declared, "ahead": ahead, "statics": statics}


def _expect(holds: Any, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
