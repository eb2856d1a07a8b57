"""Gives results that have no form on the wire: in place of the one for 37."""

from __future__ import annotations


class Thing:
    pass


def _cycle():
    cycle = []
    cycle.append([cycle])
    return cycle


def _deep():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return deep


class Text(str):
    __slots__ = ()


class Liar(dict):
    """Says that it is a dict, and is not to be looked into."""

    def items(self):
        raise RuntimeError("not even that")

    __iter__ = keys = __len__ = items


MAKE = {
    "object": Thing,
    "cycle": _cycle,
    "subclass": lambda: {"text": [Text("x")]},
    "deep": _deep,
    "function": lambda: _deep,
    "dict that lies": Liar,
}


def result(pair):
    number, kind = pair
    return {"of": [number, MAKE[kind]()]} if number == 37 else number


def results(pairs):
    return [result(pair) for pair in pairs]


def as_generator(pairs):
    for pair in pairs:
        yield result(pair)


def exception_that_cannot_be_told(pairs):
    class Odd(Exception):
        def __str__(self):
            raise SystemExit(9)

        __repr__ = __str__

    return [Odd() if number == 37 else number for number, _ in pairs]


def text(size):
    return size * "x"


def long_error(number):
    if number == 37:
        raise ValueError(8000 * "y")
    return number


def long_errors(numbers):
    return [long_error(number) for number in numbers]
