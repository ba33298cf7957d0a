"""What a linear path around the stack needs beside its product, on the CPU: what goes in and where it comes out.

Notation: T patches, B rows, F inputs a patch, of which the first P are the values; S steps of the horizon, Q outputs a
step.
"""

from forecast_kernels.jit import Array, kernel


@kernel
def flat_forward(
    x: Array,  # (T, B, F) read
    values: int,  # P
    out: Array,  # (B, T * P) written
) -> None:
    """The values of all patches of a row side by side, without mask and covariates."""
    for r in range(out.shape[0]):
        row = out[r]
        for t in range(x.shape[0]):
            patch, part = x[t, r], row[t * values : (t + 1) * values]
            for p in range(values):
                part[p] = patch[p]


@kernel
def flat_backward(
    dout: Array,  # (B, T * P) read: gradient of out
    values: int,  # P
    dx: Array,  # (T, B, F) written; (0, B, F) where nobody needs it
) -> None:
    """Gradient of the input; what was left out has none."""
    for t in range(dx.shape[0]):
        for r in range(dx.shape[1]):
            patch, part = dx[t, r], dout[r, t * values : (t + 1) * values]
            for p in range(values):
                patch[p] = part[p]
            for p in range(values, dx.shape[2]):
                patch[p] = 0


@kernel
def shift_forward(
    x: Array,  # (B, S * Q) read, Q fastest
    y: Array,  # (B, S) read
    out: Array,  # (B, S * Q) written
) -> None:
    """All outputs of a step are moved by the same: ``out[:, s, q] = x[:, s, q] + y[:, s]``."""
    Q = x.shape[1] // y.shape[1]
    for r in range(x.shape[0]):
        before, moves, row = x[r], y[r], out[r]
        for s in range(y.shape[1]):
            for q in range(Q):
                row[s * Q + q] = before[s * Q + q] + moves[s]


@kernel
def shift_backward(
    dout: Array,  # (B, S * Q) read: gradient of out
    dx: Array,  # (B, S * Q) written
    dy: Array,  # (B, S) written
) -> None:
    """Gradients of both inputs."""
    Q = dx.shape[1] // dy.shape[1]
    for r in range(dx.shape[0]):
        drow, before, moves = dout[r], dx[r], dy[r]
        for k in range(dx.shape[1]):
            before[k] = drow[k]
        for s in range(dy.shape[1]):
            total = drow[s * Q]
            for q in range(1, Q):
                total += drow[s * Q + q]
            moves[s] = total
