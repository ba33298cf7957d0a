"""How good and how fast AutoARIMA is, beside statsforecast's and beside an exhaustive search.

    python -m benchmarks.arima peers FILE... --peer-python PYTHON
    python -m benchmarks.arima search [FILE]

``peers``   Our search beside statsforecast's AutoARIMA, which may have an environment of its own: seconds of
            processor time, AICc where both difference alike, and MASE of the forecasts of a test set.
``search``  The stepwise search beside an exhaustive one over the same orders, and beside statsmodels' estimate of the
            orders that it chose.

A FILE of ``peers`` is a CSV or Parquet file with the columns ``unique_id``, ``y`` and ``split`` ("train" or "test"),
in order of time; ``FILE:SEASON:COUNT:MATCH`` tells the steps in a season (1), how many series to draw by chance (all),
and a regular expression that their names must match, e.g. ``m1.parquet:12::^M m4_hourly.parquet:24:50``. The sides take
turns series by series. Both models' likelihoods are computed by one and the same kernel, at the coefficients that each
side found and with the constant and the variance that suit them best, since the libraries' own differ in conventions.
"""
