"""The xLSTM forecaster: LSTM's with another stack of layers."""

from dataclasses import dataclass
from typing import Any, ClassVar

from forecast.errors import ParameterError
from forecast.learning.blocks import BLOCKS, block_layers
from forecast.learning.network import Layer
from forecast.models.recurrent.base import Context, PatchNetwork
from forecast.models.recurrent.fitted import FittedNetwork


class FittedXLSTM(FittedNetwork):
    """Trained xLSTM networks: ``n_members`` of them."""


@dataclass(frozen=True)
class _Blocks(Context):
    """The stack of an xLSTM."""

    blocks: str | None = None
    """Kinds of the residual blocks in their order, "s" for sLSTM, "m" for mLSTM, as "sm"; None: "s" for few training
    windows, else "sm"."""
    num_heads: int = 4
    """Heads of the cells, between which nothing is mixed; ``hidden_size`` is a multiple of it."""
    conv_width: int = 4
    """Patches that the causal convolution before the gates and keys sees; 0 for no convolution."""


@dataclass(frozen=True)
class XLSTM(PatchNetwork, _Blocks):
    """Residual blocks around sLSTM and mLSTM cells, over patches of the context, with LSTM's head and training.

    Beck et al. (2024, arXiv 2405.04517): sLSTM has exponential gates and a normalised state, mLSTM a matrix as memory,
    which is written by keys and read by queries. The defaults need no argument. What is None is chosen from the data.

    Raises
    ------
    ParameterError
        If a field is out of its range or two fields contradict each other.
    """

    kernels: ClassVar[tuple[str, ...]] = ("network", "blocks")
    default_name: ClassVar[str] = "XLSTM"
    fitted_type: ClassVar[type[FittedNetwork]] = FittedXLSTM
    chosen: ClassVar[tuple[str, ...]] = (
        "horizon", "context_length", "patch_length", "season_length", "hidden_size", "blocks", "head_size", "transform",
        "scaler", "unit", "batch_size", "max_steps",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks is not None and (
            not isinstance(self.blocks, str) or not self.blocks or set(self.blocks) - {*BLOCKS}
        ):
            raise ParameterError(
                f"XLSTM's blocks is {self.blocks!r}; it must be a text of 's' (sLSTM) and 'm' (mLSTM), such as 'sm'."
            )
        if self.hidden_size is not None and self.hidden_size % self.num_heads:
            raise ParameterError(
                f"XLSTM's hidden_size {self.hidden_size} is no multiple of its num_heads {self.num_heads}; "
                "change either."
            )

    def layers(self, *, steps: int, inputs: int, extra: int, outputs: int) -> list[Layer]:
        assert self.hidden_size is not None and self.blocks is not None and self.head_size is not None
        return block_layers(
            steps=steps, inputs=inputs, width=self.hidden_size, blocks=self.blocks, heads=self.num_heads,
            taps=self.conv_width, dropout=self.dropout > 0, extra=extra, head=self.head_size, outputs=outputs,
        )  # fmt: skip

    def sized(self, hidden: int, depth: int) -> dict[str, Any]:
        whole = -(-hidden // self.num_heads) * self.num_heads
        return {"hidden_size": whole, "blocks": self.blocks or "sm"[:depth]}

    def outline(self) -> str:
        return f"blocks {self.blocks} of {self.hidden_size} units in {self.num_heads} heads"

    @property
    def depth(self) -> int:
        return len(self.blocks or "")
