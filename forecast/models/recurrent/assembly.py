"""From a config with nothing left to choose to what training takes: network, objective, data, windows, schedule."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from forecast.learning.network import Network, linear_path
from forecast.learning.training import Objective, Schedule, WindowData
from forecast.models.recurrent.checks import SCALERS, UNITS
from forecast.models.recurrent.inputs import Arrays, Inputs
from forecast.series.panel import Panel
from forecast.series.scaling import allows_log, is_calm, levels, transformed
from forecast.series.windows import Windows, WindowsBetween
from forecast_kernels.windows.cpu import Windowing

if TYPE_CHECKING:
    from forecast.models.recurrent.base import PatchNetwork


def build_network(resolved: "PatchNetwork", inputs: Inputs) -> tuple[Network, Objective]:
    """An empty network and its objective, from a config without None."""
    r = resolved
    assert r.horizon is not None and r.context_length is not None and r.patch_length is not None
    assert r.season_length is not None
    sizes = (r.context_length, r.patch_length, r.horizon, r.season_length > 0)
    how = (SCALERS[r.scaler], r.mask_input, UNITS[r.unit])
    power = 0 if r.loss_unit == "window" else 2 if r.loss == "squared" else 1
    numbers = (*sizes, *how, len(inputs.known), power)
    spec = Windowing(*map(int, numbers))  # other integer types would be compiled for anew
    quantiles = r.quantiles if r.loss == "quantile" else (0.5,)
    objective = Objective(spec, r.loss, quantiles, r.huber_delta, r.dropout, inputs.covariates, inputs.statics)
    steps = r.context_length // r.patch_length
    width = r.patch_length * (1 + r.mask_input + inputs.covariates - (len(inputs.known) if r.season_length else 0))
    layers = r.layers(steps=steps, inputs=width, extra=objective.extra, outputs=r.horizon * len(quantiles))
    if r.linear_path:
        layers += linear_path(layers[-1], steps=steps, inputs=width, values=r.patch_length, horizon=r.horizon)
    return Network(layers), objective


def transform_of(resolved: "PatchNetwork", member: int) -> str:
    """How a member sees the series: beside members that see logarithms of calm ones, every second one sees none."""
    return "none" if resolved.transform == "calm" and member % 2 else resolved.transform


class Measures(NamedTuple):
    """How a network sees series."""

    log: npt.NDArray[np.bool_]  # (S,) whether in logarithms
    levels: npt.NDArray[np.float64]  # (S, 2) centre and spread, of the logarithms where there are
    floors: npt.NDArray[np.float64]  # (S,) smallest spread of a window

    def of(self, series: npt.NDArray[np.int64]) -> "Measures":
        """Those of some series."""
        return Measures(self.log[series], self.levels[series], self.floors[series])


def measured(resolved: "PatchNetwork", transform: str, panel: Panel) -> Measures:
    """What the histories of a panel suggest."""
    return _measured(panel.y, panel.indptr, _seasons(resolved, panel), transform)[0]


def _seasons(resolved: "PatchNetwork", panel: Panel) -> npt.NDArray[np.int64]:
    return np.full(len(panel), resolved.season_length, np.int64)


def _measured(
    y: npt.NDArray[np.float64], indptr: npt.NDArray[np.int64], seasons: npt.NDArray[np.int64], transform: str
) -> tuple[Measures, npt.NDArray[np.float64]]:
    """The measures, and the values (N,) in logarithms where these say so."""
    log = np.zeros(len(seasons), bool)
    if transform == "log":
        log = allows_log(y, indptr)
    elif transform == "calm":
        for season in np.unique(seasons):
            log |= is_calm(y, indptr, max(int(season), 1)) & (seasons == season)
    y = transformed(y, indptr, log)
    stats = levels(y, indptr)
    # A window that hardly moves is not blown up: 5 % of the series' own spread, or of its level's last digits.
    floors = np.maximum(0.05 * stats[:, 1], 1e-3 * np.abs(stats[:, 0]) + 1e-9)
    stats[:, 1] = np.maximum(stats[:, 1], floors)
    return Measures(log, stats, floors), y


def window_data(
    resolved: "PatchNetwork", transform: str, panel: Panel, exog: Arrays, measures: Measures | None = None
) -> tuple[WindowData, npt.NDArray[np.bool_]]:
    """What windows are gathered from, and which series are in logarithms; by default as the panel suggests."""
    return data_of(panel.y, panel.indptr, _seasons(resolved, panel), transform, exog, measures)


def data_of(
    y: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    seasons: npt.NDArray[np.int64],
    transform: str,
    exog: Arrays,
    measures: Measures | None = None,
) -> tuple[WindowData, npt.NDArray[np.bool_]]:
    """`window_data` of series in flat arrays, each with a season (S,) of its own, 0 for none."""
    if measures is None:
        measures, y = _measured(y, indptr, seasons, transform)
    else:
        y = transformed(y, indptr, measures.log)
    return WindowData(y, indptr, measures.levels, measures.floors, seasons, *exog), measures.log


def training_windows(resolved: "PatchNetwork", panel: Panel) -> tuple[WindowsBetween, Windows]:
    """Training windows, and those that forecast the held-out values."""
    lengths, season = panel.lengths, resolved.season_length or 0
    context, horizon = int(resolved.context_length or 1), int(resolved.horizon or 1)
    last = lengths - resolved.val_size - 1
    # Windows with less past than nearly every series has at its end would teach what is never asked; series that are
    # shorter start with what they have.
    wanted = max(season, min(context, int(np.quantile(lengths, 0.05))))
    if resolved.context_length and not resolved.mask_input:
        wanted = context
    first = np.maximum(np.minimum(wanted, last), 1)
    judged = np.maximum(last + 1, 1)
    return WindowsBetween(first, last), WindowsBetween(judged, np.maximum(lengths - horizon, judged))[:]


def schedule_of(model: "PatchNetwork", windows: int) -> Schedule:
    assert model.batch_size is not None
    per_epoch = -(-windows // model.batch_size)
    limits = [model.max_steps, model.max_epochs and model.max_epochs * per_epoch]
    steps = min(limit for limit in limits if limit is not None)
    return Schedule(
        max_steps=steps,
        batch_size=model.batch_size,
        learning_rate=model.learning_rate,
        decay=model.schedule,
        weight_decay=model.weight_decay,
        clip_norm=model.clip_norm,
        patience=model.early_stopping_patience,
        validate_every=model.val_check_steps,
        seed=model.seed,
    )
