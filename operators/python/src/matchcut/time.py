"""Times: whole flicks, of which every usual frame, tick and sample is a whole number."""

from fractions import Fraction

FLICKS_PER_SECOND = 705_600_000


def to_flicks(seconds: float | int | Fraction | str) -> int:
    """Seconds as flicks, rounded to the nearest; exact for whole numbers and fractions."""
    return round(Fraction(seconds) * FLICKS_PER_SECOND)


def seconds(flicks: int) -> float:
    """Flicks as seconds, for printing and arithmetic that need not be exact."""
    return flicks / FLICKS_PER_SECOND
