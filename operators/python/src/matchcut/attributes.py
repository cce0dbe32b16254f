"""What an operator emits: attributes with a type and a meaning."""

from dataclasses import dataclass
from typing import Any as AnyValue


@dataclass(frozen=True)
class Attribute:
    """An attribute of any JSON value."""

    description: str = ""
    kind = "any"

    def check(self, name: str, value: AnyValue) -> None:
        """Refuses a value of another type."""
        if not self.fits(value):
            raise TypeError(f"attribute {name!r} is declared as {self.kind}, this is {value!r}")

    def fits(self, value: AnyValue) -> bool:
        return True


@dataclass(frozen=True)
class Boolean(Attribute):
    """True or false."""

    kind = "boolean"

    def fits(self, value: AnyValue) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Number(Attribute):
    """A finite number."""

    kind = "number"

    def fits(self, value: AnyValue) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return value == value and value not in (float("inf"), float("-inf"))


@dataclass(frozen=True)
class Text(Attribute):
    """Text."""

    kind = "text"

    def fits(self, value: AnyValue) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True)
class Any(Attribute):
    """Any JSON value."""


def check(values: dict[str, AnyValue], declared: dict[str, Attribute]) -> None:
    """Refuses what is not declared, or declared otherwise."""
    for name, value in values.items():
        attribute = declared.get(name, declared.get("*"))
        if attribute is None:
            raise TypeError(f"attribute {name!r} is not declared; declared: {', '.join(declared) or 'none'}")
        attribute.check(name, value)
