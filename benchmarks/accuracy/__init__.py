"""How accurate gatecast is on the series of forecasting competitions, beside the published marks.

    python -m benchmarks.accuracy m4-yearly --data m4_yearly.parquet
    python -m benchmarks.accuracy m4-hourly --data m4_hourly.parquet --members 5
    python -m benchmarks.accuracy m1-monthly --data m1.parquet --models lstm,auto-arima,seasonal-naive
    python -m benchmarks.accuracy hospital --data hospital.parquet --split validation --set max_steps=300

A published mark is test, of all series of the set; "statsforecast" marks are those of the Chronos benchmark's zero-shot
table.

Each command reads one Parquet file (or CSV) with the columns ``unique_id``, ``ds``, ``y`` and ``split`` ("train" or
"test"), fits the models on the training part through the same door as a user (``Forecaster``), forecasts, and prints a
table in Markdown with wall times, peak memory and the configuration that was typed. ``--output`` writes the table to a
file as well. The same command gives the same forecasts again.

``--split validation`` leaves the test part alone: the last values of each training series, as many as the horizon, take
its place. Settings were chosen there; ``--split test`` is for reporting.

Measures, each the mean over series of what a series' horizon gives, unobserved values skipped:

sMAPE     200 |y - f| / (|y| + |f|), in per cent, as the M4 competition has it
MASE      |y - f| over the in-sample mean |y[t] - y[t - m]|; m is the set's (M4: 1, 4, 1, 24)
OWA       mean of sMAPE and MASE, each divided by Naive2's, of the averages over series
WQL       twice the mean pinball loss over the deciles of all series, over the sum of |y|: large series weigh more
CRPS      the same series by series, then the mean: every series weighs the same
80 %, 95 %   share of values inside the central intervals

Makridakis, Spiliotis, Assimakopoulos (2020), "The M4 Competition: 100,000 time series and 61 forecasting methods",
International Journal of Forecasting 36(1), 54-74.
"""
