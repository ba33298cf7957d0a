"""The result of an evaluation, and how its figures are written."""

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from forecast.evaluation.verdict import Verdict

LEGEND = {
    "MASE": "MASE is the mean absolute error over that of the seasonal-naive method before the cutoff",
    "skill": "skill is the share of {baseline}'s MASE that is saved",
    "sMAPE": "sMAPE runs from 0 to 1",
    "MAE": "MAE, RMSE and pinball are in units of the target",
    "CRPS": "CRPS is in units of the mean absolute target",
    "coverage": "coverage is the share of values inside the interval",
}
_SHARE = re.compile(r"skill|coverage-.+")
_FIXED = {"MASE": 3, "sMAPE": 4, "CRPS": 4}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well each model forecast, and which one to use."""

    table: pd.DataFrame
    """One row per model (index ``model``), best first; MASE, skill, sMAPE (0 to 1), MAE, RMSE, and where the
    backtest has intervals or quantiles also pinball, CRPS and coverage-80 ... (0 to 1)."""

    verdict: Verdict
    baseline: str | None
    """What skill is measured against; None where no naive model was compared."""

    notes: tuple[str, ...] = ()
    """What was left out or replaced: sentences for the user."""

    def __str__(self) -> str:
        table = formatted(self.table).rename_axis(index=None, columns="model").to_string()
        lines = [table, "", self.verdict.text]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def legend(self) -> str:
        """One sentence on the units of the columns that are there."""
        columns = {str(column).split("-")[0] for column in self.table.columns}
        parts = [text.format(baseline=self.baseline) for name, text in LEGEND.items() if name in columns]
        return "; ".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Everything in types that JSON knows; figures that do not exist are None."""
        rows = self.table.reset_index().to_dict(orient="records")
        table = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
        return {
            "table": table,
            "verdict": {**asdict(self.verdict), "significant": self.verdict.significant},
            "baseline": self.baseline,
            "notes": list(self.notes),
        }


def formatted(table: pd.DataFrame) -> pd.DataFrame:
    """The figures of an evaluation as rounded text, one number of decimals per column.

    Shares (skill, coverage) become percentages; a figure that does not exist becomes a dash.
    """
    return pd.DataFrame({column: _written(table[column], str(column)) for column in table}, index=table.index)


def best(table: pd.DataFrame) -> dict[str, set[Any]]:
    """The models with the best figure in each column: the lowest error, highest skill, nearest coverage."""
    winners = {}
    for column in map(str, table.columns):
        values = table[column]
        if column == "skill":
            values = -values
        elif column.startswith("coverage-"):
            values = (values - float(column.removeprefix("coverage-")) / 100).abs()
        winners[column] = set(table.index[values <= values.min()])
    return winners


def decimals(largest: float, digits: int = 4) -> int:
    """How many decimals show a number of this size with ``digits`` significant digits."""
    if not math.isfinite(largest) or largest == 0:
        return 0
    return min(max(digits - 1 - math.floor(math.log10(abs(largest))), 0), 12)


def _written(values: pd.Series, column: str) -> list[str]:
    if _SHARE.fullmatch(column):
        sign = "+" if column == "skill" else ""
        return ["-" if math.isnan(value) else f"{value:{sign}.1%}" for value in values]
    places = _FIXED[column] if column in _FIXED else decimals(float(values.abs().max()))
    return ["-" if math.isnan(value) else f"{value:.{places}f}" for value in values]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
