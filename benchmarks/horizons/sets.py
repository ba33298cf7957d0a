"""The data sets, and the marks that others published on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

METHODS = ("PatchTST/64", "PatchTST/42", "DLinear", "Repeat")
Marks = tuple[tuple[float, float], ...]  # MSE and MAE of each of the methods

_MONTH = 30 * 24  # hours
HORIZONS = (96, 192, 336, 720)


@dataclass(frozen=True)
class DataSet:
    """One data set as its protocol defines it."""

    title: str
    """What it is, for the table."""
    season_length: int
    """Steps of a day."""
    ends: tuple[int, int, int] | None = None
    """Rows before the end of the training, validation and test part; None: after 70, 80 and 100 %."""
    marks: Mapping[int, Marks] = field(default_factory=dict)
    """Published, by horizon."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of each kind of network beside its defaults, chosen on the validation part at 96 steps."""
    longer: Mapping[str, Any] = field(default_factory=dict)
    """Options that differ beyond 192 steps, chosen likewise at 720."""

    def chosen(self, network: str, horizon: int) -> dict[str, Any]:
        """Options of a kind of network at a horizon."""
        return {**self.options.get(network, {}), **(self.longer if horizon > 192 else {})}


# On every 8th validation window of ETTh1, contexts of 504 and more, patches of 12, the last value as centre and 1,500
# steps were worse, and a season no better; on every 16th of ETTm1 patches of 12, a context of 720, a season and 4,000
# steps; of weather contexts of 336 and patches of 12.
# At 720 steps of ETTh1 networks were also fitted on 7 months of the training part and judged by its last 5, because
# the validation part lies on another level. There they are worse by 18 % and more without a linear path, by 11 % and
# more without errors in the unit of the series, by 1 to 8 % with the mean as centre, a season, or contexts of 504 and
# more; 150 to 600 steps, 8 to 64 units and the kind of network matter less than 1 %.
_SHARED = {
    "context_length": 336, "patch_length": 24, "season_length": 0, "scaler": "mean", "loss": "squared", "head_size": 0,
    "batch_size": 128,
}  # fmt: skip
_LSTM = {**_SHARED, "num_layers": 1, "hidden_size": 128, "embedding_size": 0}
_XLSTM = {**_SHARED, "blocks": "sm", "hidden_size": 64, "dropout": 0.3}

SETS: dict[str, DataSet] = {
    "etth1": DataSet(
        "ETTh1", 24, (12 * _MONTH, 16 * _MONTH, 20 * _MONTH),
        marks={
            96: ((0.370, 0.400), (0.375, 0.399), (0.375, 0.399), (1.295, 0.713)),
            192: ((0.413, 0.429), (0.414, 0.421), (0.405, 0.416), (1.325, 0.733)),
            336: ((0.422, 0.440), (0.431, 0.436), (0.439, 0.443), (1.323, 0.744)),
            720: ((0.447, 0.468), (0.449, 0.466), (0.472, 0.490), (1.339, 0.756)),
        },
        options={"lstm": {**_LSTM, "max_steps": 800}, "xlstm": {**_XLSTM, "max_steps": 800}},
        longer={
            "hidden_size": 32, "scaler": "last", "linear_path": True, "loss_unit": "series", "learning_rate": 5e-4,
            "max_steps": 300,
        },
    ),
    "ettm1": DataSet(
        "ETTm1", 96, (48 * _MONTH, 64 * _MONTH, 80 * _MONTH),
        marks={
            96: ((0.293, 0.346), (0.290, 0.342), (0.299, 0.343), (1.214, 0.665)),
            192: ((0.333, 0.370), (0.332, 0.369), (0.335, 0.365), (1.261, 0.690)),
            336: ((0.369, 0.392), (0.366, 0.392), (0.369, 0.386), (1.283, 0.707)),
            720: ((0.416, 0.420), (0.420, 0.424), (0.425, 0.421), (1.319, 0.729)),
        },
        options={"lstm": {**_LSTM, "max_steps": 1_500}, "xlstm": {**_XLSTM, "max_steps": 2_000}},
    ),
    "weather": DataSet(
        "Weather", 144,
        marks={
            96: ((0.149, 0.198), (0.152, 0.199), (0.176, 0.237), (0.259, 0.254)),
            192: ((0.194, 0.241), (0.197, 0.243), (0.220, 0.282), (0.309, 0.292)),
            336: ((0.245, 0.282), (0.249, 0.283), (0.265, 0.319), (0.377, 0.338)),
            720: ((0.314, 0.334), (0.320, 0.335), (0.323, 0.362), (0.465, 0.394)),
        },
        options={
            "lstm": {**_LSTM, "context_length": 720, "max_steps": 4_000},
            "xlstm": {**_XLSTM, "context_length": 720, "max_steps": 2_000},
        },
    ),
}  # fmt: skip
