"""Functions and an adapter that raise what is no Exception. Runs on Python 3.9."""

from __future__ import annotations

import asyncio

from slither_actors.worker import Adapter, command


class Panic(BaseException):
    """As extensions in Rust raise it."""


KINDS = {
    "cancelled": asyncio.CancelledError,
    "interrupt": KeyboardInterrupt,
    "generator": GeneratorExit,
    "panic": Panic,
    "group": lambda text: BaseExceptionGroup(text, [KeyboardInterrupt()]),
    "stop": StopIteration,
}


def fails(payload):
    """A payload that names a kind raises it."""
    if payload in KINDS:
        raise KINDS[payload](f"because of {payload}")
    return payload


def fails_list(payloads):
    return list(map(fails, payloads))


def gives_up_midway(payloads):
    for payload in payloads:
        if payload in KINDS:
            raise KINDS[payload](f"because of {payload}")
        yield payload


def gives_them(payloads):
    return [KINDS[payload](f"because of {payload}") if payload in KINDS else payload for payload in payloads]


class Hidden(list):
    """A sequence that panics while it is looked at."""

    def __iter__(self):
        raise Panic("because of panic")


def hidden(payloads):
    return Hidden(payloads)


class Scorer(Adapter):
    def init(self, fails=False, fails_at_end=False):
        self.fails_at_end = fails_at_end
        if fails:
            raise KeyboardInterrupt("in init")

    def terminate(self):
        if self.fails_at_end:
            raise KeyboardInterrupt("in terminate")

    @command
    def score(self, request):
        return {"items": fails_list(request["items"])}

    @command
    def lazily(self, request):
        return {"items": gives_up_midway(request["items"])}

    @command
    def given(self, request):
        return {"items": gives_them(request["items"])}
