"""JSON that means the same and is written in another way."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any


def respelled(value: Any, rng: random.Random) -> str:
    """Members in another order, space anywhere, escapes for letters, other spellings of the same number."""
    space = rng.choice(["", " ", "\n\t", "\r\n  "])
    if isinstance(value, dict):
        members = [f"{_text(name, rng)}{space}:{respelled(one, rng)}" for name, one in value.items()]
        rng.shuffle(members)
        return f"{space}{{{space}{f'{space},'.join(members)}}}{space}"
    if isinstance(value, list):
        return f"{space}[{space}{f',{space}'.join(respelled(one, rng) for one in value)}]{space}"
    if isinstance(value, str):
        return space + _text(value, rng) + space
    if isinstance(value, bool) or value is None:
        return space + json.dumps(value)
    return space + _number(value, rng) + space


def _text(value: str, rng: random.Random) -> str:
    """Each letter as it is, where it may, or as escapes of its UTF-16."""
    return '"' + "".join(_letter(letter, rng) for letter in value) + '"'


def _letter(letter: str, rng: random.Random) -> str:
    if rng.random() < 0.5 and letter not in '"\\' and letter >= " ":
        return letter
    units = letter.encode("utf-16-be", "surrogatepass")
    escapes = [f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)]
    return "".join(rng.choice([escape, escape[:2] + escape[2:].upper()]) for escape in escapes)


def _number(value: float, rng: random.Random) -> str:
    number = Decimal(json.dumps(value))
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    shift = rng.randint(0, 3)
    text = "".join(map(str, digits)) + "0" * shift
    spelled = f"{'-' if sign else ''}{text}{rng.choice('eE')}{exponent - shift}"
    return rng.choice([json.dumps(value), spelled]) if text == "0" or not text.startswith("0") else json.dumps(value)
