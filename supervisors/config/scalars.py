"""What a plain (unquoted) scalar of YAML stands for. Pure.

YAML 1.1 and 1.2 read some of them differently, and PyYAML reads a third way. Here they are read by the core schema of
1.2, and what a reader of 1.1 takes for something else is refused, with a word on how to write it so that all agree.
The exception is base 60 (``12:30:45``), which is text: times are common, and a number is never meant.
"""

from __future__ import annotations

import math
import re

from supervisors.config.errors import cut

__all__ = ["Ambiguous", "Scalar", "read_plain"]

Scalar = str | int | float | bool | None

# Numbers beyond belong into a text. int() would refuse more than 4,300 digits, and takes quadratic time up to there.
_MOST_DIGITS = 100

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_YES = frozenset(("yes", "on", "true"))
_NO = frozenset(("no", "off", "false"))
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
# Read as a number by one of the versions, and not, or as another number, by the other.
_DISPUTED = re.compile(
    r"[-+]?0[0-9]+"  # 010: 8 or 10
    r"|[-+]?0[oO][0-7]+"
    r"|[-+]?0[bB][01_]+"
    r"|[-+]?0[xX][0-9a-fA-F_]+"
    r"|[-+]?(?=[0-9_.]*_)[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"  # 1_000
)


class Ambiguous(ValueError):
    """The scalar does not mean the same to all; the text says what to write instead."""


def read_plain(text: str) -> Scalar:
    """Return the value of a plain scalar.

    Raises:
        Ambiguous: readers of YAML disagree about it, or it is no number that can be used.
    """
    if text in _NULL:
        return None
    if text == "true":
        return True
    if text == "false":
        return False
    folded = text.lower() if len(text) <= 5 else ""
    # 1.1 knows each in lower, title and upper case, and so does PyYAML; "yEs" is text to everybody.
    if folded in _YES | _NO and text in (folded, folded.title(), folded.upper()):
        boolean = "true" if folded in _YES else "false"
        raise Ambiguous(f"{text} is true or false to some readers and text to others; write {boolean}, or '{text}'")
    # Most texts end here, before any expression.
    if not text[0].isascii() or text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            raise Ambiguous(f"a number of {len(text)} digits; put it in quotes if text is meant")
        return int(text)
    if _FLOAT.fullmatch(text):
        try:
            number = float(text)
        except ValueError:  # two exponents
            return text
        if not math.isfinite(number):
            raise Ambiguous("a number too large to be held; numbers must be finite")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise Ambiguous(f"{text} is no finite number; give a number, or put it in quotes if text is meant")
    if _DISPUTED.fullmatch(text):
        raise Ambiguous(
            f"{cut(text, 40)} is not the same number to all readers; write it in decimal without leading zeros or '_', "
            "or put it in quotes if text is meant"
        )
    return text
