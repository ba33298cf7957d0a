"""How accurate networks are over long horizons, beside the published marks of PatchTST and DLinear.

    python -m benchmarks.horizons etth1 96 --data ETTh1.parquet
    python -m benchmarks.horizons etth1 96 --data ETTh1.parquet --models xlstm --split validation --set max_steps=500
    python -m benchmarks.horizons weather 96 --data weather.parquet --models naive

Each command reads one wide table (Parquet or CSV): a column of stamps, which is not used, and one column for each
channel. It fits the models on the training part through the same door as a user (``Forecaster``), every channel a
series of its own and one network for all, forecasts from every row of the test part, and prints a table in Markdown
with wall times, peak memory and the configuration that was typed. ``--output`` writes the table to a file as well. The
same command gives the same figures again.

``--split validation`` judges by the validation part and never sees the test part. Settings were chosen there;
``--split test`` is for reporting, by models fitted on the same training part.

The protocol is that of the published figures:

- The parts follow each other: for ETT 12, 4 and 4 months of 30 days, for the others 70, 10 and 20 %.
- Channels are brought to mean 0 and deviation 1 of the training part. MSE and MAE are means, in these units, over
  windows, channels and steps.
- Windows start at every row of a part, as long as their horizon ends in it. What a model sees of the past may lie in
  the part before.
- The last windows that do not fill a batch of 32 are left out. The published code does so, and without it figures
  differ in the second or third digit.

"published: Repeat" is what ``naive`` must give: it checks the parts, the units and the windows.

Zhou et al. (2021), "Informer: Beyond efficient transformer for long sequence time-series forecasting", AAAI: ETT.
Zeng, Chen, Zhang, Xu (2023), "Are transformers effective for time series forecasting?", AAAI: DLinear, Repeat.
Nie, Nguyen, Sinthong, Kalagnanam (2023), "A time series is worth 64 words: long-term forecasting with transformers",
ICLR: PatchTST.
"""
