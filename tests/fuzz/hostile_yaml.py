"""YAML of up to 64 KiB that costs its reader as much as it can: by name, what each strains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from supervisors.config.loader import MAX_VALUES

SIZE: Final = 64 * 1024
_Piece = str | Callable[[int], str]


def filled(head: str, piece: _Piece, tail: str = "", values: int = 0) -> str:
    """``head``, as many pieces as fit, ``tail``.

    Args:
        head, tail: around them.
        piece: the same each time, or made of its number.
        values: keys and values in each piece, if all together are not to be more than the loader takes.
    """
    parts = [head]
    left = SIZE - len((head + tail).encode())
    number = 0
    most = (MAX_VALUES - 100) // values if values else SIZE
    while number < most:
        part = piece if isinstance(piece, str) else piece(number)
        left -= len(part.encode())
        if left < 0:
            break
        parts.append(part)
        number += 1
    return "".join(parts) + tail


def _deep_tree(piece: _Piece, values: int) -> str:
    levels = 14  # two of the loader's 32 each, and the rest for the piece
    head = "tree: " + "[{kind: supervisor, id: a, children: " * levels + "["
    return filled(head, piece, "]" + "}]" * levels, values)


DOCUMENTS: Final[dict[str, str]] = {
    # the scanner and the parser
    "open brackets": filled("", "["),
    "open brackets before a key": filled("a: {b: ", "[", ": 1}"),
    "question marks": filled("", "? "),
    "dashes": filled("", "- - - - - - - - - -\n"),
    "short items": filled("", "- a\n"),
    "short flow items": filled("[", "a,", "]"),
    "pairs in a list": filled("[", "a: b,", "]"),
    "keys without values": filled("[", "? a,", "]"),
    "short entries": filled("", lambda n: f"{n:x}: \n"),
    "entries in quotes": filled("{", lambda n: f'"{n:x}":,', "}"),
    "JSON": filled("[", '{"a":[1]},', "]"),
    "anchors": filled("", "- &a x\n"),
    "anchors alone": filled("[", "&a ,", "]"),
    "aliases": filled("", "- *a\n"),
    "tags": filled("", "- !t x\n"),
    "tag directives": filled("", lambda n: f"%TAG !{n}! b\n", "--- a"),
    "directives": filled("", "%Y 1\n", "--- a"),
    "documents": filled("", "---\n"),
    "comments": filled("", "#\n"),
    "comment": filled("#", "a"),
    "empty lines": filled("a:", "\n", " b"),
    "spaces": filled("a:", " ", "b"),
    "tabs": filled("a:", "\t", "b"),
    "carriage returns": filled("a:", "\r", " b"),
    "colons": filled("", "a:"),
    "quotes": filled("'", "''", "'"),
    "plain text": filled("a: ", "x"),
    "plain text of many lines": filled("a:", "\n x"),
    "quoted text of many lines": filled('a: "', "\n x", '"'),
    "escapes": filled('a: "', "\\x41", '"'),
    "long escapes": filled('a: "', "\\U0001F600", '"'),
    "block": filled("a: |\n", " x\n"),
    "folded block": filled("a: >\n", " x\n"),
    "folded block, indented": filled("a: >\n", " x\n\n  y\n"),
    "astral characters": filled("a: ", "\U0001f600"),
    "indentation": filled("", lambda n: "  " * n + "a:\n"),
    "merges": filled("", lambda n: f"a{n}: {{<<: *a}}\n"),
    # the tree
    "one key many times": filled("", "a: 1\n"),
    "refused items": filled("", "- no\n"),
    "refused keys": filled("", "? [a]\n: b\n"),
    "refused items below a long key": filled("? " + "a b" * 8_000 + "\n:\n", "- no\n"),
    "refused items below long keys": filled(
        "".join("  " * level + "a b" * 300 + ":\n" for level in range(25)) + "  " * 25 + "[", "no,", "]"
    ),
    "long keys": filled("", lambda n: f"{str(n) * 300}: 1\n"),
    "one long key": filled("? ", "a b", "\n: 1"),
    "digits": filled("a: ", "9"),
    "long numbers": filled("[", "9" * 99 + ",", "]"),
    "long fractions": filled("[", "0." + "9" * 400 + ",", "]"),
    "fraction": filled("a: 0.", "9"),
    "exponent": filled("a: 1e", "9"),
    "underscores": filled("a: 1", "_"),
    "not quite a number": filled("a: ", "1", "e"),
    # the schema, and what it cannot say
    "unknown keys": filled("", lambda n: f"pool{n}: 1\n", "", 2),
    "unknown keys alike": filled("{", lambda n: f"dispatch{n}: 1,", "}", 2),
    "unknown keys as long as are compared": filled("{", lambda n: f"{n:060}: 1,", "}", 2),
    "pools": filled("pools: {", lambda n: f"{n}: {{}},", "}", 2),
    "pools that are none": filled("pools: {", lambda n: f"{n}: 1,", "}", 2),
    "pools with a wrong key": filled("pools: {", lambda n: f"{n}: {{sise: 1}},", "}", 4),
    "pools with a wrong value": filled("pools: {", lambda n: f"{n}: {{size: a}},", "}", 4),
    "pools with a wrong choice": filled("pools: {", lambda n: f"{n}: {{affinity: hints}},", "}", 4),
    "pools with everything wrong": filled(
        "pools: {", lambda n: f"{n}: {{size: -1, timeout: a, affinity: x, sise: 1, max_restarts: b}},", "}", 12
    ),
    "a good pool among wrong keys": filled("pools: {a: {", lambda n: f"size{n}: 1,", "}}", 2),
    "many pools, the last one wrong": filled("pools: {", lambda n: f"{n}: {{size: 1, timeout: 2}},", "z: 1}", 6),
    "an environment": filled("pools: {a: {env: {", lambda n: f"{n}: b,", "}}}", 2),
    "an environment of numbers": filled("pools: {a: {env: {", lambda n: f"{n}: 1,", "}}}", 2),
    "folders that are none": filled("pools: {a: {path: [", lambda n: f"n{n},", "]}}", 1),
    "folders": filled(
        "pools: {a: {path: [", lambda n: "." + f"{n:b}".replace("0", "/.").replace("1", "/") + ",", "]}}", 1
    ),
    "one folder many times": filled("pools: {a: {path: [", ".,", "]}}", 1),
    "modules that are none": filled("pools: {a: {preload: [", lambda n: f"_m{n},", "]}}", 1),
    "adapters that are none": filled("pools: {", lambda n: f"{n}: {{adapter: '_m{n}:X'}},", "}", 4),
    "programs that are none": filled("pools: {", lambda n: f"{n}: {{python: _p{n}}},", "}", 4),
    "arguments of an adapter": filled("pools: {a: {adapter: 'a:b', init: {", lambda n: f"{n}: 1,", "}}}", 2),
    "a pool that is none among many": filled("dispatch: {pool: pooll}\npools: {", lambda n: f"pool{n}: {{}},", "}", 2),
    "wrong options of runs": filled("dispatch: {on_error: {", lambda n: f"retry{n}: 1,", "}}", 2),
    "children that are empty": filled("tree: [", "{},", "]", 1),
    "children that are none": filled("tree: [", "1,", "]", 1),
    "children that are text": filled("tree: [", "a,", "]", 1),
    "children of no kind": filled("tree: [", "{kind: actr},", "]", 3),
    "children of a kind only": filled("tree: [", "{kind: actor},", "]", 3),
    "children with a wrong key": filled("tree: [", "{kind: supervisor, id: a, childen: []},", "]", 7),
    "a child with wrong keys": filled(
        "tree: [{kind: actor, id: a, class: 'a:b', ", lambda n: f"restar{n}: 1,", "}]", 2
    ),
    "actors that are none": filled("tree: [", lambda n: f"{{kind: actor, id: a{n}, class: '_m{n}:X'}},", "]", 7),
    "actors of modules": filled("tree: [", lambda n: f"{{kind: actor, id: a{n}, class: 'pykka:Actor'}},", "]", 7),
    "names that a module has not": filled(
        "tree: [", lambda n: f"{{kind: actor, id: a{n}, class: 'pykka:X{n}'}},", "]", 7
    ),
    "a class path": filled("tree: [{kind: actor, id: a, class: '", "a.", "a:b'}]"),
    "a class path that is none": filled("tree: [{kind: actor, id: a, class: '", "a.", "'}]"),
    "supervisors": filled("tree: [", lambda n: f"{{kind: supervisor, id: a{n}, children: []}},", "]", 7),
    "supervisors, the last one wrong": filled(
        "tree: [", lambda n: f"{{kind: supervisor, id: a{n}, children: []}},", "{}]", 7
    ),
    "supervisors without children": filled("tree: [", "{kind: supervisor},", "]", 3),
    "significant children": filled("tree: [", "{kind: supervisor, id: a, children: [], significant: true},", "]", 9),
    "a deep tree": _deep_tree("{},", 1),
    "a deep tree of actors": _deep_tree(lambda n: f"{{kind: actor, id: a{n}, class: 'pykka:Actor'}},", 7),
    "arguments of an actor": filled("tree: [{kind: actor, id: a, class: 'pykka:Actor', args: [", "a,", "]}]", 1),
    "a tree of its own": filled("children: [", lambda n: f"{{kind: supervisor, id: a{n}, children: []}},", "]", 7),
    "a tree of its own with wrong keys": filled("children: []\n", lambda n: f"nam{n}: 1\n", "", 2),
}
