"""Gives another number of results than there were items."""

from __future__ import annotations

from slither_actors.worker import Adapter, command


def one_too_few(payloads):
    return payloads[1:]


def one_too_many(payloads):
    return [*payloads, None]


def none(payloads):
    return []


def twice(payloads):
    return payloads * 2


def fewer_with_exceptions(payloads):
    """Exceptions count, too: one good result, one failed item, whatever was sent."""
    return [payloads[0], ValueError("alone")]


def more_with_exceptions(payloads):
    return [*payloads, ValueError("one more")]


class Miscounting(Adapter):
    @command
    def drops(self, request):
        return {"items": request["items"][1:]}

    @command
    def adds(self, request):
        return {"items": [*request["items"], 1]}

    @command
    def double(self, request):
        return {"items": [2 * item for item in request["items"]]}
