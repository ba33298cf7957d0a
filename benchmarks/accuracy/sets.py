"""The data sets, their protocols, and the marks that others published on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Mark = tuple[str, float | None, float | None, float | None, float | None]  # method, sMAPE in %, MASE, OWA, WQL


@dataclass(frozen=True)
class DataSet:
    """One data set as its competition defines it."""

    title: str
    """What it is, for the table."""
    horizon: int
    """Steps to forecast."""
    season_length: int
    """Steps of a season, given to the models."""
    mase_season: int
    """m of the MASE and of Naive2, as the competition has it."""
    freq: str | int = 1
    """Of the stamps; 1 for files that only count."""
    prefix: str = ""
    """Take the series whose identifier begins so."""
    filled_run: int = 0
    """Runs of so many equal values are gaps that the file's makers filled, and are taken as unobserved; 0 for none."""
    rolling: int = 0
    """Not 0: a wide table without splits, of whose columns the last so many horizons are each forecast from what comes
    before, as series of their own."""
    history: int = 0
    """Values before each of these horizons that are given; longer histories only make slow methods slower."""
    models: tuple[str, ...] = ("lstm", "seasonal-naive")
    """Fitted unless others are asked for."""
    options: Mapping[str, int | str] = field(default_factory=dict)
    """Options of the LSTM beside its defaults."""
    marks: tuple[Mark, ...] = ()
    """Published."""
    note: str = ""
    """What a reader of the marks must know."""


_SMALL = ("lstm", "auto-arima", "seasonal-naive")

SETS: dict[str, DataSet] = {
    "m4-yearly": DataSet(
        "M4 Yearly", 6, 1, 1,
        marks=(
            ("Naive2", 16.342, 3.974, 1.0, None), ("Theta", 14.593, 3.382, 0.872, None),
            ("FFORMA (M4's second)", 13.528, 3.060, 0.799, None), ("ES-RNN (M4's winner)", 13.176, 2.980, 0.778, None),
            ("N-BEATS, 180 networks", 12.913, None, 0.758, None),
            ("AutoARIMA (statsforecast)", None, 3.462, None, 0.1250),
        ),
    ),
    "m4-quarterly": DataSet(
        "M4 Quarterly", 8, 4, 4,
        marks=(
            ("Naive2", 11.012, 1.371, 1.0, None), ("Theta", 10.311, 1.232, 0.917, None),
            ("FFORMA (M4's second)", 9.733, 1.111, 0.847, None), ("ES-RNN (M4's winner)", 9.679, 1.118, 0.847, None),
            ("N-BEATS, 180 networks", 9.213, None, 0.800, None),
        ),
        note="The published marks are of all 24,000 series; those without a training part in the file are left out.",
    ),
    "m4-weekly": DataSet(
        "M4 Weekly", 13, 52, 1,
        marks=(
            ("Naive2", 9.161, 2.777, 1.0, None), ("Theta", 9.093, 2.637, 0.971, None),
            ("FFORMA (M4's second)", 7.625, 2.108, 0.796, None),
            ("ES-RNN (M4's winner)", 7.817, 2.356, 0.851, None),
            ("best of the M4's entries", 6.919, 2.158, 0.766, None),
        ),
    ),
    "m4-hourly": DataSet(
        "M4 Hourly", 48, 24, 24, options={"season_length": 168, "transform": "log"},
        marks=(
            ("Naive2", 18.383, 2.395, 1.0, None), ("Theta", 18.138, 2.455, 1.006, None),
            ("FFORMA (M4's second)", 11.506, 0.819, 0.484, None), ("ES-RNN (M4's winner)", 9.328, 0.893, 0.440, None),
        ),
    ),
    "m1-yearly": DataSet(
        "M1 Yearly", 6, 1, 1, prefix="Y", models=_SMALL,
        marks=(
            ("Theta", None, 4.191, None, None), ("ETS", None, 3.771, None, None), ("ARIMA", None, 4.479, None, None),
            ("AutoARIMA (statsforecast)", None, 3.486, None, 0.1328),
        ),
    ),
    "m1-quarterly": DataSet(
        "M1 Quarterly", 8, 4, 4, prefix="Q", models=_SMALL,
        marks=(
            ("Theta", None, 1.702, None, None), ("ETS", None, 1.658, None, None), ("ARIMA", None, 1.787, None, None),
            ("AutoARIMA (statsforecast)", None, 1.688, None, 0.0883),
        ),
    ),
    "m1-monthly": DataSet(
        "M1 Monthly", 18, 12, 12, prefix="M", models=_SMALL,
        marks=(
            ("Theta", None, 1.091, None, None), ("ETS", None, 1.074, None, None), ("ARIMA", None, 1.164, None, None),
            ("AutoARIMA (statsforecast)", None, 1.114, None, 0.1544),
        ),
    ),
    "hospital": DataSet(
        "Hospital", 12, 12, 12, freq="MS", models=_SMALL, options={"context_length": 12},
        marks=(
            ("Theta", None, 0.761, None, None), ("ETS", None, 0.765, None, None), ("ARIMA", None, 0.787, None, None),
            ("DeepAR", None, 0.769, None, None), ("AutoARIMA (statsforecast)", None, 0.784, None, 0.0586),
        ),
    ),
    "etth1": DataSet(
        "ETTh1", 24, 24, 24, freq="h", rolling=20, history=1_000, models=("pretrained", "seasonal-naive"),
        note="The last 20 days of each of 7 columns, each day from the 1,000 hours before it.",
    ),
    "kdd-cup-2018": DataSet(
        "KDD Cup 2018", 48, 24, 24, freq="h", filled_run=6,
        note="A fifth of the file's values fill gaps with the value before; these are taken as unobserved, in history "
        "and truth, so the marks of others are not comparable.",
    ),
}  # fmt: skip
