"""The series that the shipped networks are trained on, and how windows are drawn from them."""

import sys
from contextlib import nullcontext
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.pretrain import __main__ as command
from benchmarks.pretrain import real, synthetic
from benchmarks.pretrain.corpora import CORPORA, Source
from benchmarks.pretrain.training import draw_windows, trained
from forecast.learning.checkpoint import Checkpoint
from forecast.learning.training import Schedule
from forecast.models.pretrained.bands import BANDS
from forecast.progress import Silent


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("season", [1, 4, 12])
def test_synthetic_series_are_finite_and_the_same_for_a_seed(kind, season):
    y = kind(rng(), 20, 50, season)
    assert y.shape == (20, 50)
    assert np.isfinite(y).all()
    assert (y.std(axis=1) > 0).mean() > 0.9
    np.testing.assert_array_equal(kind(rng(), 20, 50, season), y)


def test_patterns_have_mean_zero_and_a_season_shows_in_what_is_made_of_them():
    shapes = synthetic.patterns(rng(), 50, 12)
    np.testing.assert_allclose(shapes.mean(axis=1), 0, atol=1e-9)
    y = synthetic.broken_trend(rng(1), 300, 96, 12)
    moves = np.abs(np.diff(y, n=1)).mean()
    assert np.abs(y[:, 12:] - y[:, :-12]).mean() < 3 * moves


def test_aggregated_values_are_means_counted_from_the_end():
    y = np.arange(20.0)
    (found,) = real.aggregated([y], 2.5)
    bounds = [0, 2, 5, 8, 10, 12, 15, 18, 20]
    np.testing.assert_allclose(found, [y[a:b].mean() for a, b in pairwise(bounds)])
    y[:2] = np.nan
    assert np.isnan(real.aggregated([y], 2.5)[0][0])
    assert real.aggregated([y], 5) == []


def test_months_of_quarters_keep_the_level():
    t = np.arange(60)
    quarterly = 100 * 1.01**t * (1 + 0.1 * np.array([1, -1, 0.5, -0.5])[t % 4])
    (found,) = real.monthly([quarterly], rng())
    assert len(found) == 180
    np.testing.assert_allclose(found.reshape(-1, 12).mean(axis=1), quarterly.reshape(-1, 4).mean(axis=1), rtol=0.1)


def test_mixtures_weigh_series_over_their_own_size_at_their_common_end():
    small, large = np.full(30, 2.0), np.concatenate([np.zeros(70), np.full(20, 500.0)])
    found = real.mixtures([small, large], 40, rng())
    assert {len(y) for y in found} == {30, 90}
    both = [y for y in found if len(y) == 30 and np.ptp(y) > 0]
    assert both  # a step where the large one begins, each in units of its mean
    for y in both:
        assert y[0] == pytest.approx(y[9])
        assert y[0] + (y[10] - y[0]) * 20 / 30 == pytest.approx(1)


def test_noise_is_as_large_as_the_steps_of_a_series_and_keeps_positive_ones_positive():
    y = 3 + np.cumsum(rng(1).normal(size=400)) % 5
    step = np.abs(np.diff(y)).mean()
    found = real.with_noise([y], 200, rng())
    moved = np.array([np.median(np.abs(one - y)) for one in found]) / step
    assert 0.1 < moved.min() < 0.4 < 0.9 < moved.max() < 2
    assert min(one.min() for one in found) >= 0
    np.testing.assert_array_equal(real.with_noise([y], 1, rng())[0], found[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "nowhere"], "nowhere has no file m4_yearly.parquet"),
        (["--data", ".", "--bands", "none,decades"], "there is no band 'decades'; choose from none, quarters"),
    ],
)
def test_command_says_in_a_sentence_what_it_lacks(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pretrain", *words])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert message in f"{stopped.value.code} {capsys.readouterr().err}"


def test_gaps_take_values_away_and_leave_the_others():
    whole = [np.arange(40.0) + k for k in range(20)]
    holed = real.with_gaps(whole, rng())
    assert len(holed) == len(whole)
    for y, before in zip(holed, whole, strict=True):
        np.testing.assert_array_equal(y[~np.isnan(y)], before[~np.isnan(y)])
    assert sum(np.isnan(y).any() for y in holed) > 15


def test_windows_come_from_sources_by_weight_and_leave_something_to_forecast():
    sources = [
        Source("a", 3.0, [np.zeros(30)] * 10, [12] * 10),
        Source("b", 1.0, [np.zeros(n) for n in (2, 5, 40)], [4] * 3),
    ]
    windows = draw_windows(sources, 20_000, rng())
    lengths = np.array([30] * 10 + [2, 5, 40])
    assert np.mean(windows[:, 0] < 10) == pytest.approx(0.75, abs=0.02)
    assert (windows[:, 1] >= 1).all()
    assert (windows[:, 1] < lengths[windows[:, 0]]).all()
    of_a = windows[windows[:, 0] < 10, 1]
    assert np.mean(of_a < 15) == pytest.approx(0.15 * 12 / 27, abs=0.02)


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_every_network_of_the_family_learns_from_its_sources(band):
    t = np.arange(1200)
    one = 20 + np.sin(t * 2 * np.pi / 24) + np.sin(t * 2 * np.pi / 168)
    found = {
        "yearly": [10 + t[:40] + 0.0] * 4, "quarterly": [10 + np.sin(t[:60] * np.pi / 2)] * 4,
        "weekly": [one[:600]] * 4, "hourly": [one] * 4, "kdd": [np.tile(one, 2)] * 4,
    }  # fmt: skip
    sources = CORPORA[band.name](found, rng())
    assert all(np.isfinite(y).sum() >= 2 for source in sources for y in source.series)
    assert all(band.seasons[0] <= m <= band.seasons[1] for source in sources for m in source.seasons)
    schedule = Schedule(6, 16, 1e-3)
    theta, history = trained(band, sources, 0, schedule, Silent(), 1)
    assert np.isfinite(theta).all() and np.isfinite(list(history.losses.values())).all()
    np.testing.assert_array_equal(trained(band, sources, 0, schedule, Silent(), 2)[0], theta)


class Interrupting(Silent):
    """Stops the training of the second network at its fourth step."""

    reports = 0

    def advance(self, steps=1, **figures):
        self.reports += 1
        if self.reports == 6 + 4:
            raise KeyboardInterrupt


def test_stopped_run_goes_on_within_a_network_and_other_data_are_learned_from_anew(tmp_path, monkeypatch, capsys):
    found = {"yearly": list(rng().normal(100, 10, (4, 40)))}
    monkeypatch.setattr(command, "read", lambda folder, holdout: found)
    monkeypatch.setattr(command, "warmup", lambda progress, what: None)
    monkeypatch.setattr(command, "CORPORA", {"none": lambda found, rng: [Source("a", 1.0, found["yearly"], [1] * 4)]})
    monkeypatch.setattr(command, "STEPS", {"none": 6})
    monkeypatch.setattr(command, "SCHEDULE", Schedule(1, 16, 1e-3))
    monkeypatch.setattr(command, "Checkpoint", partial(Checkpoint, seconds=0.0))

    def run(work, progress):
        monkeypatch.setattr(command, "progress_on_stderr", lambda quiet: nullcontext(progress))
        options = {"data": tmp_path, "output": tmp_path / "weights.safetensors", "bands": "none", "work": work}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        monkeypatch.setattr(sys, "argv", ["pretrain", *words])
        command.main()
        return {path.name: path.read_bytes() for path in work.iterdir()}

    with pytest.raises(SystemExit, match="130"):
        run(tmp_path / "stopped", Interrupting())
    assert capsys.readouterr().err == "Interrupted; the same command goes on from here.\n"
    assert sorted(path.suffix for path in (tmp_path / "stopped").iterdir()) == [".checkpoint", ".npy"]
    resumed = run(tmp_path / "stopped", Silent())
    assert "none 1" not in capsys.readouterr().out
    whole = run(tmp_path / "whole", Silent())
    assert resumed == whole
    assert {name[-4:] for name in whole} == {".npy"}
    found["yearly"][0][0] += 1
    assert len(run(tmp_path / "whole", Silent())) == 2 * len(whole)
