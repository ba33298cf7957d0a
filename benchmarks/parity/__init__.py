"""Whether our xLSTM cells compute what those of the package `xlstm` compute, forward and backward.

    python -m benchmarks.parity --xlstm-python PYTHON

The package (PyPI, Apache-2.0, by the authors of Beck et al. 2024) is never imported here: a process of its own, run by
a Python that has it, draws weights and inputs, runs the package's own PyTorch code for the CPU, and leaves everything
in a file. From there weights are copied into our layout, and outputs and the gradients of inputs and of all parameters
are compared, in float32 and in float64. Exit code 1 if one deviates by more than the limit of its dtype, relative to
the largest value.

How the definitions differ, and what is done about it:

- The package adds ``eps`` = 1e-6 to mLSTM's divisor max(|n q|, exp(-m)), as large as the stabiliser makes it; ours has
  none. It is compared with ``eps`` = 0; rows "with eps" show what it changes, and are not judged.
- mLSTM's gates see q, k and v in the package, and the layer's input alone in ours. What they take of q and k is linear
  in that input, so that our weights are products of the package's; what they take of v has no counterpart (v comes
  from before the convolution): these weights are 0 here, as the package has them at first, and their gradient is not
  compared.
- q, k and v are made of blocks of 4 inputs in the package, and of a head in ours; sLSTM's gates of a head's inputs in
  the package, and of all in ours. Ours get zeros elsewhere, whose gradients are not compared.
- In the package's sLSTM layer the linear layer called ``fgate`` feeds the input gate, and ``igate`` the forget gate.
- Scales of norms count from 1 in the package and from 0 in ours. The stabiliser of mLSTM is not below 0 in ours, which
  changes no h. Both divide by sqrt(P), the package's chunkwise form q and all others k. Both have the sigmoid as forget
  gate of both cells.
"""
