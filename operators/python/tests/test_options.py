from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from matchcut.options import OptionsError, read, schema


@dataclass
class Options:
    model: str
    threshold: Annotated[float, {"minimum": 0}] = 20.0
    classes: list[str] = field(default_factory=list)
    mode: Literal["fast", "good"] = "fast"
    limit: int | None = None


def test_the_schema_comes_from_the_fields():
    made = schema(Options)
    assert made["required"] == ["model"]
    assert made["additionalProperties"] is False
    assert made["properties"]["threshold"] == {"type": "number", "minimum": 0, "default": 20.0}
    assert made["properties"]["classes"] == {"type": "array", "items": {"type": "string"}, "default": []}
    assert made["properties"]["mode"] == {"enum": ["fast", "good"], "default": "fast"}
    assert made["properties"]["limit"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}


def test_good_values_are_read():
    options = read(Options, {"model": "a", "threshold": 3, "classes": ["x"], "limit": 5})
    assert options == Options("a", 3, ["x"], "fast", 5)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"model"}),
        ({"model": 5, "threshold": "high", "colour": 1}, {"model", "threshold", "colour"}),
        ({"model": "a", "threshold": -1}, {"threshold"}),
        ({"model": "a", "threshold": True}, {"threshold"}),
        ({"model": "a", "classes": ["x", 1]}, {"classes"}),
        ({"model": "a", "mode": "slow"}, {"mode"}),
        ({"model": "a", "limit": 1.5}, {"limit"}),
    ],
)
def test_everything_wrong_is_named(values, wrong):
    with pytest.raises(OptionsError) as caught:
        read(Options, values)
    assert {option for option, _ in caught.value.errors} == wrong


def test_a_check_of_its_own_counts():
    @dataclass
    class Range:
        low: int = 0
        high: int = 1

        def __post_init__(self):
            if self.low > self.high:
                raise ValueError("low is more than high")

    with pytest.raises(OptionsError) as caught:
        read(Range, {"low": 5})
    assert caught.value.errors == [(None, "low is more than high")]
