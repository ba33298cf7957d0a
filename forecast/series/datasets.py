"""The data sets that come with the package; ``data/README.md`` tells the origin and licence of each."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.series.frame import read_panel


@dataclass(frozen=True)
class Dataset:
    """What a file cannot tell about itself."""

    target: str
    """The column to forecast."""
    horizon: int
    """Steps ahead that are worth trying."""
    what: str
    """What is measured, in one line."""


DATASETS = {
    "air_passengers": Dataset("value", 12, "Passengers of international airlines, thousands a month"),
    "us_gdp": Dataset("gdp", 8, "Real gross domestic product of the United States, billions of 2005 dollars"),
    "beer_production": Dataset("megalitres", 8, "Beer produced in Australia, megalitres a quarter"),
    "sunspots": Dataset("sunspots", 11, "Yearly mean number of sunspots; cycles of about 11 years"),
    "co2": Dataset("co2", 52, "Carbon dioxide in the air at Mauna Loa, parts per million; with gaps"),
    "bike_daily": Dataset("y", 14, "Bikes rented in Washington, D.C., every day of two years"),
    "oil_price": Dataset("price", 20, "Spot price of WTI crude oil, dollars a barrel; without holidays"),
    "electricity_demand": Dataset("y", 48, "Electricity demand in Victoria, Australia, megawatts"),
    "bike_rentals": Dataset("y", 24, "Bikes rented in Washington, D.C., with calendar and weather"),
    "road_casualties": Dataset("y", 12, "Car drivers killed in Great Britain; a seat-belt law from 1983 on"),
    "electricity_prices": Dataset("y", 24, "Day-ahead electricity prices of four European markets, euros per MWh"),
    "hospital": Dataset("y", 12, "Patients counted for 100 medical products"),
}

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "data", _PACKAGE.parent / "data")  # in an installed wheel; in the repository


def names() -> list[str]:
    """Names of the data sets, single series first."""
    return list(DATASETS)


def path(name: str) -> Path:
    """Where the CSV file of a data set lies.

    Parameters
    ----------
    name : str
        One of ``names()``.

    Raises
    ------
    ParameterError
        If there is no data set of that name.
    DataError
        If the package was installed without its files.
    """
    if name not in DATASETS:
        raise ParameterError(f"There is no data set {name!r}; the data sets are {', '.join(names())}.")
    for folder in _FOLDERS:
        file = folder / f"{name}.csv"
        if file.is_file():
            return file
    searched = " and ".join(str(folder) for folder in _FOLDERS)
    raise DataError(f"The file {name}.csv is in neither of {searched}; install the package again.")


def load(name: str) -> pd.DataFrame:
    """The rows of a data set as they stand in its CSV file; stamps are text (years: integers).

    Parameters
    ----------
    name : str
        One of ``names()``.

    Raises
    ------
    ParameterError
        If there is no data set of that name.
    """
    return pd.read_csv(path(name))


def describe() -> pd.DataFrame:
    """One row for each data set.

    Returns
    -------
    DataFrame
        Columns ``name``, ``frequency`` (such as "monthly (MS)"), ``series`` and ``rows`` (numbers), ``target``,
        ``covariates`` (names joined by commas), ``horizon`` (steps worth trying), ``what`` (one line).
    """
    return pd.DataFrame([_described(name, dataset) for name, dataset in DATASETS.items()])


def _described(name: str, dataset: Dataset) -> dict[str, str | int]:
    rows = load(name)
    panel = read_panel(rows, target_col=dataset.target)
    return {
        "name": name,
        "frequency": panel.frequency.describe(),
        "series": len(panel),
        "rows": len(rows),
        "target": dataset.target,
        "covariates": ", ".join(panel.covariates),
        "horizon": dataset.horizon,
        "what": dataset.what,
    }
