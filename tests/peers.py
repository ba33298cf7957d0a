"""What PyTorch and Keras computed (benchmarks/golden.py stored it), read without either.

Notation: B batch, T time, D inputs, H hidden.
"""

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "kernels" / "golden"


def load(name):
    """The arrays of a golden file, by key."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def names(pattern):
    """The stems of the golden files that match; never empty, so that no test passes for want of files."""
    found = sorted(path.stem for path in GOLDEN.glob(pattern))
    assert found, pattern
    return found


def lstm(name):
    """A golden LSTM, torch or Keras, with its sequences as (T, B, ·)."""
    golden = load(name)
    return time_major(golden) if name.startswith("keras") else golden


def time_major(golden):
    """A Keras file with its sequences as (T, B, ·)."""
    return golden | {name: golden[name].swapaxes(0, 1) for name in ("x", "h", "dh", "dx")}


def torch_layer(golden, depth, prefix=""):
    """W (D, 4H), R (H, 4H), b (4H,) of one torch layer."""
    w_ih, w_hh, b_ih, b_hh = (
        golden[f"{prefix}{name}_l{depth}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return w_ih.T, w_hh.T, b_ih + b_hh


def keras_layer(golden, depth, prefix=""):
    """W (D, 4H), R (H, 4H), b (4H,) of one Keras layer."""
    return tuple(golden[f"{prefix}{name}_l{depth}"] for name in ("kernel", "recurrent_kernel", "bias"))
