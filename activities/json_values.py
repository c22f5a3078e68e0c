"""JSON that can be passed on: read here, it is stored, compared and shown the same everywhere.

The failure this prevents: Python reads more than JSON has (``NaN``, ``1e999`` as infinity, integers beyond every float), and
what is passed on of that is null, or an error somewhere behind.
"""

import json
import math
import sys

from pydantic import JsonValue

MAX_DEPTH = 100
"""Levels of nesting. Far beyond it neither the converter nor the validator can follow."""


def read_json(text: str) -> JsonValue:
    """The value of a text.

    Raises:
        ValueError: it is no JSON, or has a number or a character that cannot be passed on.
        RecursionError: it is nested far too deeply.
    """
    value: JsonValue = json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_int)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can be written in JSON, and stored nowhere
    return value


def is_deep(value: JsonValue) -> bool:
    """Whether a value is nested more than ``MAX_DEPTH`` levels deep."""
    layer: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
    return bool(layer)


def _constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _int(text: str) -> int:
    value = int(text)
    if abs(value) > sys.float_info.max:
        raise ValueError(f"the number {text[:20]}... is too large")
    return value
