"""Save and load: one safetensors file with a JSON document in its header; never pickle.

The arrays are the panel's and each model's state; the document says what they are. Nothing in a file is executed: model
classes are looked up in the registry, and every length is checked before a kernel sees it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ForecastError, ModelFileError
from forecast.models import class_of, name_of
from forecast.models.base import Fitted, Model
from forecast.series.categories import are_categories
from forecast.series.frequency import parse_frequency
from forecast.series.panel import Category, Columns, Panel
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
    arrays, document = _panel_out(panel)
    models = []
    for k, one in enumerate(fitted.values()):
        state, extra = one.state()
        arrays |= {f"model.{k}.{name}": values for name, values in state.items()}
        models.append({"model": name_of(one.model), "config": _config(one.model), "state": extra})
    write_document(path, {"panel": document, "models": models}, arrays)


def load(path: str | Path) -> tuple[Panel, dict[str, Fitted]]:
    """Read what `save` wrote.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, of another version, or no model file.
    """
    header, arrays = read_document(path, "forecast fit FILE -o")
    if "text" in header:
        raise ModelFileError(f"{path} holds a text model; use it with `forecast text generate {path}`.")
    with damage_told(path):
        panel = _panel_in(header["panel"], arrays)
        expect(len(header["models"]) >= 1, "it holds no model")
        fitted = {}
        for k, entry in enumerate(header["models"]):
            kind = class_of(entry["model"])
            model = kind(**{name: _frozen(value) for name, value in entry["config"].items()})
            prefix = f"model.{k}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            fitted[model.name] = kind.fitted_type.from_state(model, own, entry["state"])
            fitted[model.name].resume(panel)
    return panel, fitted


def write_document(path: str | Path, document: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a model file: a document that JSON can hold, and arrays; it appears whole or not at all.

    Raises
    ------
    ParameterError
        If the file cannot be written there.
    """
    from safetensors.numpy import save as dump

    from forecast import __version__
    from forecast.reporting.report import write_text_atomic

    header = {"format": FORMAT, "version": __version__, **document}
    metadata = {KEY: json.dumps(header, default=_plain)}
    write_text_atomic(path, dump({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata))


def read_document(place: str | Path, made_by: str) -> tuple[dict[str, Any], Arrays]:
    """Document and arrays of a model file of this format; ``made_by`` is the command that makes one.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, of another version, or no model file.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(place)
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}; make one with `{made_by} {path.name}`.")
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
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} was written by gatecast {header.get('version')!r} in format {header.get('format')!r}; "
            f"this version reads format {FORMAT}: fit the model again."
        )
    return header, arrays


@contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Whatever a document of the wrong shape raises becomes one sentence."""
    try:
        yield
    except (*_DAMAGE, ForecastError) as error:
        raise ModelFileError(f"{path} is damaged ({_reason(error)}); fit and save the model again.") from error


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
        "labels": list(panel.categories),
        "categories": {name: list(values) for name, values in panel.statics.items() if name not in numbers},
    }


def _panel_in(document: Mapping[str, Any], arrays: Arrays) -> Panel:
    """The panel, with every length checked: kernels do not check bounds."""
    alias = document["freq"]
    frequency = parse_frequency(int(alias) if alias.isdigit() else alias)
    names, notes, columns = document["ids"], document["notes"], Columns(**document["columns"])
    expect(all(isinstance(name, str | int) for name in names) and len(names) >= 1, "the identifiers are no names")
    expect(all(isinstance(note, str) for note in notes), "the notes are no text")
    expect(all(isinstance(name, str) for name in (columns.id, columns.time, columns.target)), "a column has no name")
    expect(int(document["season_length"]) >= 1, "the season is shorter than a step")
    pd.Timestamp(0, tz=columns.tz)  # an unknown zone would only show in the forecasts
    ids = np.empty(len(names), object)
    ids[:] = names
    y, indptr, starts = arrays["y"], arrays["indptr"], arrays["starts"]
    covariates = {name: arrays[f"covariate.{name}"] for name in document["covariates"]}
    kinds = y.dtype == np.float64 and indptr.dtype == np.int64 and starts.dtype == np.int64
    expect(kinds and y.ndim == 1, "the values have another type or shape")
    expect(indptr.shape == (len(ids) + 1,) and starts.shape == (len(ids),), "there are fewer lengths than series")
    inside = (indptr >= 0) & (indptr <= len(y))  # differences alone could wrap around
    expect(inside.all() and (np.diff(indptr) >= 1).all(), "the lengths do not ascend")
    expect(indptr[0] == 0 and indptr[-1] == len(y), "the lengths do not fit the values")
    fitting = all(values.shape == y.shape and values.dtype == np.float64 for values in covariates.values())
    expect(fitting, "a covariate does not fit the values")
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
        categories=_labels_in(document, y),
        **_declared_in(document, arrays, covariates, len(ids)),
    )
    known = not pd.isna(panel.starts).any() and not pd.isna(panel.future(1)).any()
    expect(known, "the stamps cannot be continued")
    return panel


def _labels_in(document: Mapping[str, Any], y: npt.NDArray[np.float64]) -> tuple[Category, ...]:
    """Categories of the target; files of before there were such have none."""
    labels = tuple(document.get("labels", ()))
    expect(are_categories(labels), "a category is neither a text nor a whole number, or there twice")
    known = np.isnan(y) | ((y >= 0) & (y < len(labels)) & (y == np.floor(y)))
    expect(not labels or known.all(), "a value is none of the categories")
    return labels


def _declared_in(document: Mapping[str, Any], arrays: Arrays, covariates: Arrays, series: int) -> dict[str, Any]:
    """What a panel knows of its covariates beside their past; files of before there was such a thing have none."""
    declared = Declared(**document.get("declared", {}))
    ahead = {name: arrays[f"ahead.{name}"] for name in document.get("ahead", ())}
    statics = {name: arrays[f"static.{name}"] for name in declared.static if f"static.{name}" in arrays}
    for name, values in document.get("categories", {}).items():
        expect(all(value is None or isinstance(value, str) for value in values), "a category is no text")
        statics[name] = np.array(values, object)
    shapes = all(a.ndim == 2 and len(a) == series and a.dtype == np.float64 for a in ahead.values())
    kinds = all(a.shape == (series,) and a.dtype in (np.float64, object) for a in statics.values())
    expect(shapes and kinds, "covariates have another type or shape")
    past = {*covariates} >= {*declared.known, *declared.historic}
    expect(past and {*statics} == {*declared.static} and {*ahead} <= {*declared.future}, "a covariate is missing")
    return {"declared": declared, "ahead": ahead, "statics": statics}


def expect(holds: Any, otherwise: str) -> None:
    """Raise a ValueError that says what is wrong with a document."""
    if not holds:
        raise ValueError(otherwise)
