"""Training goes on from the shipped weights, on the data at hand, and only where that helps."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from forecast.learning.training import History, Schedule, judge, train
from forecast.models.pretrained.bands import band_of
from forecast.models.pretrained.fitted import networks_of
from forecast.models.recurrent.assembly import build_network, training_windows, window_data
from forecast.progress import Progress
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from forecast.models.pretrained.model import Pretrained

Thetas = npt.NDArray[np.float32]  # (members, P)


def finetuned(
    model: "Pretrained", season: int, thetas: Thetas, panel: Panel, h: int | None, progress: Progress, device: str
) -> tuple[Thetas, list[History]]:
    """Parameters of the members, and what happened; no history where the shipped weights stay.

    Each member is trained on what comes before the last horizon of every series and judged on that horizon. If its loss
    falls below that of the shipped weights, it is trained again on everything, for as many steps as were best.
    """
    band = band_of(season)
    held = h or band.horizon
    resolved = replace(band.config(season), val_size=held)
    inputs = band.inputs(season)
    exog = inputs.encode(panel)
    known = panel.head(np.maximum(panel.lengths - held, 1))
    learned, judged = training_windows(resolved, panel)
    everything, _ = training_windows(replace(resolved, val_size=0), panel)
    if not len(learned) or not len(judged):
        return thetas, []
    steps = model.finetune_steps
    progress.start(model.name, 2 * steps * len(thetas))
    out, histories = [], []
    try:
        for member, network in enumerate(networks_of(band, season, thetas)):
            view = band.config(season, member)
            past, whole = (window_data(view, view.transform, one, exog)[0] for one in (known, panel))
            _, objective = build_network(view, inputs)
            schedule = Schedule(
                steps, model.batch_size, model.learning_rate, seed=model.seed + member,
                validate_every=max(1, steps // 10),
            )  # fmt: skip
            where = model.num_threads, device
            before = judge(network, whole, judged, objective, *where)
            trial = train(network, past, learned, objective, schedule, progress, (whole, judged), *where)
            network.theta[:] = thetas[member]
            if trial.validation and min(trial.validation) < before:
                again = replace(schedule, stop_after=trial.steps)
                histories.append(train(network, whole, everything, objective, again, progress, None, *where))
            out.append(network.theta.copy())
    finally:
        progress.finish()
    return np.stack(out), histories
