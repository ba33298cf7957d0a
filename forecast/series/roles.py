"""Which columns models may use beside the target, and when their values are known."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeAlias

from forecast.errors import ParameterError

Names: TypeAlias = str | Iterable[str]

CYCLES = ("month", "quarter", "dayofyear", "dayofmonth", "dayofweek", "hour", "minute")
FLAGS = ("weekend",)
FEATURES = (*CYCLES, *FLAGS)


@dataclass(frozen=True)
class Declared:
    """The covariates of a panel; a column that is named in no field is used by no model.

    Raises
    ------
    ParameterError
        If a column stands in two fields, or there is no such calendar feature.
    """

    future: tuple[str, ...] = ()
    """Known ahead, over the horizon as well: prices, promotions, forecasts of the weather."""
    historic: tuple[str, ...] = ()
    """Known up to the cutoff alone, as the target is."""
    static: tuple[str, ...] = ()
    """One value for each series: a number, or a text as a category."""
    calendar: tuple[str, ...] = ()
    """Features of the stamps: any of "month", "quarter", "dayofyear", "dayofmonth", "dayofweek", "hour", "minute" (each
    as a sine and a cosine) and "weekend"."""
    holidays: tuple[str, ...] = ()
    """Countries whose public holidays are flagged, by ISO code such as "AT", with a subdivision as "DE-BY"."""

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            names = (given,) if isinstance(given, str) else tuple(given)
            object.__setattr__(self, field.name, tuple(dict.fromkeys(names)))
        columns = self.columns
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise ParameterError(f"Column {twice!r} is declared twice; it is future, historic or static, but only one.")
        unknown = next((name for name in self.calendar if name not in FEATURES), None)
        if unknown is not None:
            raise ParameterError(
                f"There is no calendar feature {unknown!r}; the calendar features are {', '.join(FEATURES)}."
            )

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that must be in the data."""
        return self.future + self.historic + self.static

    @property
    def computed(self) -> tuple[str, ...]:
        """Covariates that are computed from the stamps: two for each cycle, one for each flag and country."""
        cycles = [name for name in self.calendar if name in CYCLES]
        waves = [f"{name} ({wave})" for name in cycles for wave in ("sin", "cos")]
        flags = [name for name in self.calendar if name in FLAGS]
        return (*waves, *(f"{name} (calendar)" for name in flags), *(f"holiday ({name})" for name in self.holidays))

    @property
    def known(self) -> tuple[str, ...]:
        """Covariates whose values are known over the horizon: the declared ones and the computed ones."""
        return self.future + self.computed


NOTHING = Declared()
