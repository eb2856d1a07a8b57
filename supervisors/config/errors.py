"""Problems of a configuration, by file, line, column and path: one line a problem, all of them in one error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from supervisors.errors import SupervisorError

__all__ = ["MAX_PROBLEMS", "ConfigError", "Path", "Place", "Problem", "cut", "in_yaml", "path_text"]

MAX_PROBLEMS = 100
"""Most problems that one error lists. It bounds the message; more of them mean that it is the wrong file."""

_SHOWN = 60
# Nothing that ends a line or moves a terminal's cursor may come out of a file's name or text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[\w-]+")

Path = tuple[str | int, ...]
"""From the document's root: keys of mappings, and indices of lists."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both from 1, the column counted in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem.

    Args:
        file: the file, as the caller named it.
        place: line and column; None if it concerns the file as a whole.
        path: path of the value, such as `pools.gpu_pool.size`; empty for the whole document.
        message: what is wrong, and what to do.
    """

    file: str
    place: Place | None
    path: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.place is None else f"{self.file}:{self.place.line}:{self.place.column}"
        return _one_line(": ".join(part for part in (where, self.path, self.message) if part))


class ConfigError(SupervisorError, ValueError):
    """A configuration cannot be used. Its text has one line a problem, in the order of the file.

    Args:
        problems: at least one; those beyond the first `MAX_PROBLEMS` are only counted.

    Attributes:
        problems: in the order of the file.
        left_out: how many more there are.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        every = sorted(dict.fromkeys(problems), key=lambda one: one.place or Place(0, 0))
        self.problems: tuple[Problem, ...] = tuple(every[:MAX_PROBLEMS])
        self.left_out = len(every) - len(self.problems)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return a line for each problem, and one more if some were left out."""
        lines = [str(problem) for problem in self.problems]
        if self.left_out:
            lines.append(f"{_one_line(self.problems[0].file)}: and {self.left_out} more")
        return lines

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way would call the class with the text.
        return _rebuild, (self.problems, self.left_out)


def _rebuild(problems: tuple[Problem, ...], left_out: int) -> ConfigError:
    error = ConfigError(problems)
    error.left_out = left_out
    error.args = ("\n".join(error.lines()),)
    return error


def path_text(path: Path) -> str:
    """Return a path as text: ``tree[0].children[1].restart``."""
    if not path:
        return ""
    above, part = _text_above(path[:-1]), path[-1]
    if isinstance(part, int):
        return f"{above}[{part}]"
    key = part[: _SHOWN + 1]  # it may be as long as the file
    if not _PLAIN_KEY.fullmatch(key):
        key = json.dumps(key, ensure_ascii=False)
    return f"{above}.{cut(key)}" if above else cut(key)


@lru_cache(8)
def _text_above(path: Path) -> str:
    """Return the same from a cache: if one item of a list has a problem, others often have it."""
    return path_text(path)


def in_yaml(value: object) -> str:
    """Return a value for a message, in YAML's words and cut to a readable length."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {cut(repr(value))}"
    return cut(str(value))


def cut(text: str, limit: int = _SHOWN) -> str:
    """Return a text cut to a readable length."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
