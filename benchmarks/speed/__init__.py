"""How fast gatecast is, beside the peers that forecasters use, measured in one run on one machine.

    python -m benchmarks.speed                       all sections but gpu
    python -m benchmarks.speed step cold             some of them: step, cells, tutorial, panel, cold, growth,
                                                     pretrained, gpu
    python -m benchmarks.speed --write               the same, and write the tables into README.md
    python -m benchmarks.speed step --repeats 3 --block 0.05        a smoke test

``step``      Training step (forward, backward, clipping, Adam) and inference of LSTM networks of given shapes, beside
              PyTorch's ``nn.LSTM``, with 1 and 2 threads, and as a share of the speed of a large matrix product.
``cells``     Forward and backward of one layer of sLSTM and mLSTM beside our LSTM and beside the package `xlstm`, and
              mLSTM's chunkwise form beside its recurrent one, with 1 thread. (Of `xlstm`, whose licence is Apache-2.0,
              the PyTorch code for CPUs alone is used: install it with ``--no-deps``, and torch, omegaconf, dacite.)
``tutorial``  The tutorials' fit, 490 windows of 10, LSTM(50) + Dense(1), 20 epochs of 32, beside Keras on JAX and on
              TensorFlow; the first fit of a process and a later one apart.
``panel``     fit, predict and backtest of 500 simulated monthly series, beside neuralforecast's LSTM with an equal
              network, windows and steps; peak memory.
``cold``      First run with an empty cache of compiled kernels, later runs, import.
``gpu``       Training step and inference on an NVIDIA GPU, beside PyTorch's cuDNN LSTM and our own CPU. There are no
              figures of it so far: it has not been run on a GPU.
``growth``    Time and memory of fit and predict for 10 to 100,000 short series.
``pretrained``  Forecasts of the pretrained networks, and `forecast run` of every shipped data set.

Each side of a comparison is a process of its own, and may have an environment of its own (``--torch-python`` and so on;
by default the Python that runs this). So thread pools cannot get into each other's way, and memory can be told apart.
The sides take turns in short blocks; what is reported are medians over the blocks, the ratio of two medians, and the
quartiles of the ratios of neighbouring blocks. The sides of ``step`` start from the same weights and data, and their
outputs are compared before anything is timed. A peer that is not installed is shown so.
"""
