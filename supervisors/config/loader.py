"""The hardened YAML loader: any bytes become a tree of plain values with their places, or a ConfigError.

It works on PyYAML's events, so nothing is ever constructed: no anchors, aliases, merges or tags, one document, no key
twice, and bounds on size, depth and number of values. This is the only module that imports PyYAML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from supervisors.config.errors import ConfigError, Path, Place, Problem, path_text
from supervisors.config.scalars import Ambiguous, Scalar, read_plain
from supervisors.config.source import MAX_BYTES, Unreadable, decode, place_behind, read_bytes

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_VALUES",
    "Document",
    "Node",
    "parse_document",
    "scan_document",
]

MAX_DEPTH = 32
"""Mappings and lists within each other. Recursive readers of the tree stay far from Python's limit of 1,000 frames."""
MAX_VALUES = 10_000
"""Keys and values: a thousand children, say. They are read in 30 ms, without libyaml in 200."""

# Two bytes are enough for a mistake, so their number has to be bounded.
_MOST_PROBLEMS = 1_000
# Tags are refused, so that directives for them are of no use. Each is compared with those before it.
_MOST_DIRECTIVES = 100

# libyaml is several times as fast. Both are held to the same contract by the tests.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What PyYAML's own scanner makes numbers of without a look at how large they are; libyaml looks.
_OUT_OF_RANGE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}|^%YAML", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")

# Messages of PyYAML's scanner, which has one type of error for all of them, and what to do about each; matched by
# their beginnings.
_REMEDIES = (
    ("found character that cannot start any token", "this character cannot begin a value; put the text in quotes"),
    ("found character", "this character cannot begin a value; put the text in quotes"),
    ("mapping values are not allowed", "this ':' is one too many; put the text in quotes, or check the indentation"),
    ("could not find expected ':'", "a key without ':' behind it; write 'key: value'"),
    ("found unexpected end of stream", "a quote or bracket is not closed before the end of the file"),
    ("found unknown escape character", "no such escape in double quotes; double the backslash or use single quotes"),
    ("did not find expected ',' or", "a comma or the closing bracket is missing"),
    ("expected ',' or", "a comma or the closing bracket is missing"),
    ("did not find expected '-' indicator", "the items of a list begin with '- ', all at the same indentation"),
    ("expected <block end>", "this does not belong here; compare the indentation with the lines above"),
    ("did not find expected key", "this does not belong here; compare the indentation with the lines above"),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    Args:
        value: a scalar, or the nodes of a mapping or a list.
        place: where it begins.
        keys: where the keys of a mapping stand.
        refused: a problem of it (or of a key of it) is reported already; rules do not add to that.
    """

    value: Scalar | dict[str, Node] | list[Node]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    refused: bool = False

    def plain(self) -> Any:
        """Return the plain values: dict, list, str, int, float, bool and None."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: Path) -> Node:
        """Return the node at a path, or the last one on the way to it that exists."""
        node = self
        for part in path:
            below: Any = node.value
            if not isinstance(below, (dict, list)):
                return node
            try:
                node = below[part]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return node
        return node


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content.

    Args:
        name: of the file, as the caller gave it.
        root: its value.
        folder: where the file lies, for paths within it; None for a text.
    """

    name: str
    root: Node
    folder: str | None = None


def parse_document(text: str | bytes, name: str = "<text>") -> Document:
    """Read a text.

    Args:
        text: the text; bytes are UTF-8.
        name: its name in messages.

    Raises:
        ConfigError: the loader refuses the text. It raises nothing else, whatever the text holds.
    """
    document, problems = _scan(text, name, None)
    if problems or document is None:
        raise ConfigError(problems)
    return document


def scan_document(path: str | os.PathLike[str], name: str | None = None) -> tuple[Document | None, list[Problem]]:
    """Read a file for further checks: return what could be read, and the problems so far.

    Args:
        path: a regular file, in UTF-8.
        name: its name in messages; by default the path.

    Returns:
        The document (None if it could not be read) and the problems. No content of a file makes it raise.
    """
    file = os.fspath(path) if name is None else name
    try:
        data = read_bytes(path)
    except Unreadable as error:
        return None, [Problem(file, None, "", error.message)]
    return _scan(data, file, os.path.dirname(os.path.abspath(path)))


def _scan(data: str | bytes, name: str, folder: str | None) -> tuple[Document | None, list[Problem]]:
    try:
        text = decode(data)
    except Unreadable as error:
        return None, [Problem(name, error.place, "", error.message)]
    problems: list[Problem] = []
    if text.count("\n%") > _MOST_DIRECTIVES:
        return None, [Problem(name, None, "", f"more than {_MOST_DIRECTIVES} lines begin with %; remove them")]
    builder = _Builder(name, problems)
    root: Node | None = None
    try:
        root = builder.document(_events(text))
    except _Stop as stop:
        problems.append(Problem(name, stop.place, path_text(stop.path), stop.message))
    except yaml.MarkedYAMLError as error:
        problems.append(Problem(name, _place(error.problem_mark or error.context_mark), "", _syntax(error, text)))
    except yaml.YAMLError as error:
        problems.append(Problem(name, None, "", f"not YAML: {error}"))
    return (None if root is None else Document(name, root, folder)), problems


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except (ValueError, OverflowError):
        found = _OUT_OF_RANGE.search(text)
        place = place_behind(text[: found.start()] if found else "")
        message = "not YAML: there is no such character, or no such version; characters end at \\U0010FFFF"
        raise _Stop(place, (), message) from None


class _Stop(Exception):
    """A problem after which reading cannot go on."""

    def __init__(self, place: Place, path: Path, message: str) -> None:
        self.place = place
        self.path = path
        self.message = message


class _Builder:
    """Builds the tree from events, and collects problems on the way."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self._name = name
        self._problems = problems
        self._values = 0
        self._depth = 0

    def document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    message = "a second document begins here; one file holds one, so remove the '---'"
                    raise _Stop(_place(event.start_mark), (), message)
                root = self._node(next(events), events, ())
        if root is None:
            raise _Stop(Place(1, 1), (), "the file is empty")
        return root

    def _refuse(self, event: yaml.Event, path: Path, message: str) -> None:
        place = _place(event.start_mark)
        if len(self._problems) >= _MOST_PROBLEMS:
            raise _Stop(place, path, f"more than {_MOST_PROBLEMS:,} mistakes; what follows has not been read")
        self._problems.append(Problem(self._name, place, path_text(path), message))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Node:
        place = _place(event.start_mark)
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Stop(place, path, f"more than {MAX_VALUES:,} keys and values; a configuration is not data")
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, path, f"*{event.anchor} is an alias; write the value out where it is used")
            return Node(None, place, refused=True)
        assert isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent))
        refused = self._decorated(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, place, refused)
        if self._depth >= MAX_DEPTH:
            raise _Stop(place, (), f"nested more than {MAX_DEPTH} levels deep")
        self._depth += 1
        read = self._list if isinstance(event, yaml.SequenceStartEvent) else self._mapping
        node = read(events, path, place, refused)
        self._depth -= 1
        return node

    def _decorated(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, path: Path) -> bool:
        """Return whether a value is refused: for a tag, or half a character. An anchor is reported, but harmless."""
        if event.anchor is not None:
            self._refuse(event, path, f"&{event.anchor} is an anchor; remove it, and write values out where used")
        if event.tag is not None:
            self._refuse(event, path, f"{event.tag} is a tag; remove it (put the value in quotes if text is meant)")
        if isinstance(event, yaml.ScalarEvent) and event.style == '"' and _SURROGATE.search(event.value):
            self._refuse(event, path, "an escape is half a character; write it as one, of the form \\U0001F600")
            return True
        return event.tag is not None

    def _scalar(self, event: yaml.ScalarEvent, path: Path, place: Place, refused: bool) -> Node:
        text: str = event.value
        if event.style or refused:  # quoted, or a block: text
            return Node(text, place, refused=refused)
        try:
            return Node(read_plain(text), place)
        except Ambiguous as error:
            self._refuse(event, path, str(error))
            return Node(text, place, refused=True)

    def _list(self, events: Iterator[yaml.Event], path: Path, place: Place, refused: bool) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items))))
        return Node(items, place, refused=refused)

    def _mapping(self, events: Iterator[yaml.Event], path: Path, place: Place, refused: bool) -> Node:
        items: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, path)
            if key is None:
                refused = True  # what the mapping holds is not known in full
                reported = len(self._problems)
                if isinstance(event, yaml.CollectionStartEvent):
                    self._node(event, events, path)
                self._node(next(events), events, path)
                del self._problems[reported:]  # both go, so there is no more to say about them
                continue
            value = self._node(next(events), events, (*path, key))
            if key in items:
                self._refuse(event, (*path, key), f"this key stands on line {keys[key].line} already; keep one of them")
            else:
                items[key] = value
                keys[key] = _place(event.start_mark)
        return Node(items, place, keys, refused)

    def _key(self, event: yaml.Event, path: Path) -> str | None:
        """Return the key, as it is written; None if it was refused."""
        self._values += 1
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, path, "a key must be text; an alias, a list or a mapping is none")
            return None
        if self._decorated(event, path):
            return None
        if not event.style and event.value == "<<":
            self._refuse(event, path, "'<<' merges another mapping; write its keys out here")
            return None
        if not event.style and not event.value:
            self._refuse(event, path, "a ':' without a key before it")
            return None
        value: str = event.value
        return value


class _Mark(Protocol):
    """A mark of either of PyYAML's parsers."""

    line: int
    column: int


def _place(mark: _Mark | None) -> Place:
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = str(error.problem or error.context or "cannot be read as YAML")
    mark = error.problem_mark
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return "not YAML: a tab where only spaces may stand; indent with spaces"
    for beginning, remedy in _REMEDIES:
        if problem.startswith(beginning):
            return f"not YAML: {remedy}"
    context = f" ({error.context})" if error.context and error.problem else ""
    return f"not YAML: {problem}{context}"
