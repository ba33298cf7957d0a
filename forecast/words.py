"""Numbers with the words that fit them, for messages of every room."""

from collections.abc import Sequence


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what it counts.

    Parameters
    ----------
    number : int
        How many.
    one : str
        What follows 1, e.g. "row is left out".
    many : str, optional
        What follows any other number; by default ``one`` with an s.

    Examples
    --------
    >>> counted(1, "step"), counted(2_000, "step"), counted(2, "row is left out", "rows are left out")
    ('1 step', '2,000 steps', '2 rows are left out')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def joined(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
