"""The claim of benchmarks/covariates.py, scaled down."""

from benchmarks.covariates import MAIN, ROWS, WITHOUT, measure


def test_future_covariates_save_a_tenth_of_the_error_of_electricity_prices():
    table = measure(8, 1, {name: ROWS[name] for name in (WITHOUT, MAIN)}, max_steps=300, hidden_size=48)
    assert table.loc[MAIN, "saved"] > 0.1
    assert (table.loc[MAIN] < table.loc["SeasonalNaive"])[["BE", "DE", "FR", "NP", "all"]].all()
