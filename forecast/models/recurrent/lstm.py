"""The LSTM forecaster: one network for all series of a panel."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from forecast.learning.network import Layer, recurrent_layers
from forecast.models.recurrent.base import Context, PatchNetwork
from forecast.models.recurrent.fitted import FittedNetwork


class FittedLSTM(FittedNetwork):
    """Trained LSTM networks: ``n_members`` of them."""


@dataclass(frozen=True)
class _Layers(Context):
    """The stack of an LSTM."""

    num_layers: int | None = None
    """LSTM layers; None: 1 for few training windows, else 2."""
    embedding_size: int | None = None
    """Width of the linear layer that a patch goes through first; None: ``hidden_size``; 0 for none."""


@dataclass(frozen=True)
class LSTM(PatchNetwork, _Layers):
    """A stack of LSTM layers over patches of the context, with a head that emits the whole horizon at once.

    Hochreiter & Schmidhuber (1997); the defaults need no argument. What is None is chosen from the data.

    Raises
    ------
    ParameterError
        If a field is out of its range or two fields contradict each other.
    """

    kernels: ClassVar[tuple[str, ...]] = ("network",)
    default_name: ClassVar[str] = "LSTM"
    fitted_type: ClassVar[type[FittedNetwork]] = FittedLSTM
    chosen: ClassVar[tuple[str, ...]] = (
        "horizon", "context_length", "patch_length", "season_length", "hidden_size", "num_layers", "embedding_size",
        "head_size", "transform", "scaler", "unit", "batch_size", "max_steps",
    )  # fmt: skip

    @classmethod
    def classic(cls, window: int = 10, hidden_size: int = 50, max_epochs: int = 20, **options: Any) -> Self:
        """The network of the tutorials: a window of raw values, one LSTM layer, one linear output, one step ahead.

        ``LSTM(hidden_size) + Dense(1)`` trained on squared error with Adam at 1e-3 in batches of 32; longer horizons
        are reached by feeding forecasts back.
        """
        settings: dict[str, Any] = {
            "horizon": 1, "context_length": window, "patch_length": 1, "season_length": 0, "hidden_size": hidden_size,
            "num_layers": 1, "embedding_size": 0, "head_size": 0, "dropout": 0.0, "loss": "squared",
            "transform": "none", "scaler": "none", "unit": "deviation", "mask_input": False, "learning_rate": 1e-3,
            "schedule": "constant", "clip_norm": 0.0, "batch_size": 32, "max_epochs": max_epochs,
        }  # fmt: skip
        return cls(**{**settings, **options})

    def layers(self, *, steps: int, inputs: int, extra: int, outputs: int) -> list[Layer]:
        assert self.hidden_size is not None and self.num_layers is not None
        assert self.embedding_size is not None and self.head_size is not None
        return recurrent_layers(
            steps=steps, inputs=inputs, embed=self.embedding_size, hidden=self.hidden_size, layers=self.num_layers,
            dropout=self.dropout > 0, extra=extra, head=self.head_size, outputs=outputs,
        )  # fmt: skip

    def sized(self, hidden: int, depth: int) -> dict[str, Any]:
        return {
            "hidden_size": hidden,
            "num_layers": self.num_layers or depth,
            "embedding_size": hidden if self.embedding_size is None else self.embedding_size,
        }

    def outline(self) -> str:
        return f"{self.num_layers} x {self.hidden_size} units"

    @property
    def depth(self) -> int:
        return self.num_layers or 0
