"""Single layers whose forward and backward are timed, and their data and weights, the same for every side.

Notation: B batch, T time, H units and inputs, N heads of P = H / N.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class CellShape(NamedTuple):
    """One layer."""

    kind: str  # "lstm", "slstm" or "mlstm"; or the cell of the latter alone, "mlstm cell"
    batch: int
    time: int
    hidden: int
    heads: int

    @property
    def head(self) -> int:
        """P."""
        return self.hidden // self.heads

    @property
    def forward_flops(self) -> int:
        """Operations of the products with weights of LSTM and sLSTM, forward; backward has twice as many.

        The gates are not counted. Of both cells they are about 170 operations a unit and step, forward and backward
        together, where the products of LSTM are 48 H and those of sLSTM 24 H + 24 P.
        """
        _, B, T, H, _ = self
        if self.kind not in ("lstm", "slstm"):
            raise ValueError(f"The operations of {self.kind!r} depend on the form in which it is computed.")
        return 2 * B * T * 4 * H * (H + (H if self.kind == "lstm" else self.head))


def values(shape: CellShape) -> dict[str, Array]:
    """Input ``x`` (B, T, H), gradient ``dout`` of the output, and weights by the names of our layers; float32."""
    _, B, T, H, N = shape
    P, rng = shape.head, np.random.default_rng(0)

    def draw(*size: int, spread: float = 1.0) -> Array:
        return rng.uniform(-spread, spread, size).astype(np.float32)

    found = {"x": draw(B, T, H), "dout": draw(B, T, H)}
    limit = H**-0.5
    if shape.kind == "slstm":
        weights = {"Wx": draw(H, 2 * H, spread=limit), "Wy": draw(H, 2 * H, spread=limit)}
        return found | weights | {"R": draw(N, P, 4 * P, spread=limit), "b": draw(4 * H)}
    if shape.kind == "mlstm":
        weights = {"W": draw(3, N, P, P, spread=P**-0.5), "b": draw(3, H, spread=limit)}
        return (
            found | weights | {"Wg": draw(2, H, N, spread=limit), "bg": draw(2, N) + np.array([[0], [2]], np.float32)}
        )
    if shape.kind == "mlstm cell":
        found = {"dout": found["dout"]} | {name: draw(B, T, H) for name in "qkv"}
        return found | {"i": draw(B, T, N), "f": draw(B, T, N) + np.float32(2)}
    return found | {"W": draw(H, 4 * H, spread=limit), "R": draw(H, 4 * H, spread=limit), "b": draw(4 * H)}
