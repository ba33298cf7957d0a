"""Small models and panels for the tests of what surrounds the models."""

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd

from forecast.models.base import Fitted, Forecast, Model
from forecast.series.frequency import parse_frequency
from forecast.series.panel import Columns, Panel

# monthly totals of international airline passengers 1949-1951, in thousands (Box and Jenkins, series G)
PASSENGERS = [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170]
PASSENGERS += [158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166]


def make_panel(series=None, start="1949-01-01", freq="MS", season_length=None, **columns):
    """A panel of ``{id: values}`` that all start at one stamp (or at ``{id: stamp}``)."""
    series = {"passengers": PASSENGERS} if series is None else series
    frequency = parse_frequency(freq)
    kind = np.int64 if frequency.is_integer else "datetime64[ns]"
    starts = [start[name] if isinstance(start, dict) else start for name in series]
    values = [np.asarray(y, dtype=np.float64) for y in series.values()]
    ids = np.empty(len(series), dtype=object)
    ids[:] = list(series)
    return Panel(
        ids=ids,
        indptr=np.concatenate([[0], np.cumsum([len(y) for y in values])]).astype(np.int64),
        y=np.concatenate(values),
        starts=np.array(starts, dtype=kind),
        frequency=frequency,
        season_length=season_length or frequency.season_length,
        columns=Columns(**columns),
        covariates={},
    )


class ToyFitted(Fitted):
    def __init__(self, model, panel):
        self.model = model
        self.fitted_on = panel

    def _predict(self, panel, h, quantiles):
        self.model.seen.append(("predict", panel))
        point = np.empty((len(panel), h))
        spread = np.empty(len(panel))
        for s in range(len(panel)):
            y = panel.series(s)
            point[s] = np.resize(y[-self.model.lag :], h)
            changes = np.diff(y)
            spread[s] = changes[np.isfinite(changes)].std() if np.isfinite(changes).any() else 1.0
        point = np.nan_to_num(point) + self.model.bias
        shifts = np.sort(np.array([NormalDist().inv_cdf(q) for q in quantiles]))
        return Forecast(point, point[:, :, None] + spread[:, None, None] * shifts)

    def state(self):
        return {}, {}

    @classmethod
    def from_state(cls, model, arrays, extra):
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Toy(Model):
    """Repeats the last ``lag`` values, moved by ``bias``; notes every panel that it is handed in ``seen``."""

    alias: str | None = None
    lag: int = 1
    bias: float = 0.0
    seen: list = field(default_factory=list)

    default_name = "Toy"
    fitted_type = ToyFitted

    def _fit(self, panel, h, progress):
        self.seen.append(("fit", panel))
        progress.start(self.name, 1)
        progress.advance()
        progress.finish()
        return ToyFitted(self, panel)


class ToyNetwork(Toy):
    """The same, judged as a network."""

    is_network = True
    default_name = "ToyNetwork"


def stamps(*texts):
    return list(pd.to_datetime(list(texts)))
