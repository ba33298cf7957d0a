"""Values that parameters start from.

Notation: D inputs, H outputs of a layer, N heads of P = H / N units, K steps that a convolution sees.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from forecast_kernels.network import table as kernels

if TYPE_CHECKING:
    from forecast.learning.network import Layer

Array = npt.NDArray[Any]


def draw(layer: "Layer", rng: np.random.Generator) -> dict[str, Array]:
    """Parameters of a layer that do not start from 0, by name.

    W is Glorot uniform, that of embeddings standard normal, R orthogonal, and the bias of LSTM's forget gate 1
    (Jozefowicz et al. 2015). In blocks, norms and skips start from 1; R is 0 and mLSTM's gates see no input at first,
    so that a new block is near to a feed-forward layer with a memory; the biases of forget gates spread the units'
    memories over long and short ones (Beck et al. 2024): from 3 to 6 over mLSTM's heads, from 5 down to -7 over the
    units of sLSTM's. All parameters of a layer with ``zero`` start from 0.
    """
    if layer.zero:
        return {}
    D, H, N = layer.n_in, layer.n_out, layer.heads
    P = H // N
    if layer.kind == kernels.LSTM:
        return {"W": glorot(rng, D, 4 * H), "R": orthogonal(rng, H, 4 * H), "b": np.repeat([0.0, 1.0, 0.0, 0.0], H)}
    if layer.kind == kernels.DENSE:
        return {"W": glorot(rng, D, H)}
    if layer.kind == kernels.EMBED:
        return {"W": rng.standard_normal((D, H))}
    if layer.kind in (kernels.NORM, kernels.SKIP):
        return {"scale": np.ones(D)}
    if layer.kind == kernels.CONV:
        return {"W": rng.uniform(-1, 1, (layer.taps, D)) / np.sqrt(layer.taps)}
    if layer.kind == kernels.SLSTM:
        b = np.zeros((N, 4, P))
        b[:, 1] = 5 - 12 * np.linspace(0, 1, P) ** 1.6
        return {"Wx": glorot(rng, D, 2 * H), "Wy": glorot(rng, D, 2 * H), "b": b.reshape(-1)}
    if layer.kind == kernels.MLSTM:
        W = np.stack([glorot(rng, P, P) for _ in range(3 * N)])
        return {"W": W.reshape(3, N, P, P), "bg": np.stack([np.zeros(N), np.linspace(3, 6, N)])}
    return {}


def glorot(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
    """Uniform, of a variance that keeps that of values and of gradients (Glorot & Bengio 2010)."""
    limit = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out))


def orthogonal(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
    """Orthonormal rows (Saxe et al. 2014)."""
    q, r = np.linalg.qr(rng.standard_normal((n_out, n_in)))
    return np.asarray((q * np.sign(np.diag(r))).T)
