"""The orders of a seasonal ARIMA, and how they are written."""

from typing import NamedTuple

LONGEST_SEASON = 168  # searched for seasonal ARMA terms: their polynomials span it, and cost by its square


class Orders(NamedTuple):
    """(p,d,q)(P,D,Q)[s], with or without a constant: the mean of the differenced series."""

    p: int
    d: int
    q: int
    P: int
    D: int
    Q: int
    season_length: int
    constant: bool

    @property
    def size(self) -> int:
        """How many ARMA coefficients there are."""
        return self.p + self.q + self.P + self.Q

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many there are of each kind, in their order: p, q, P, Q."""
        return self.p, self.q, self.P, self.Q

    @property
    def lost(self) -> int:
        """How many values differencing takes away."""
        return self.d + self.D * self.season_length

    def __str__(self) -> str:
        text = f"({self.p},{self.d},{self.q})"
        if self.P or self.D or self.Q:
            text += f"({self.P},{self.D},{self.Q})[{self.season_length}]"
        if self.constant:
            text += " with drift" if self.d + self.D else " with mean"
        return text
