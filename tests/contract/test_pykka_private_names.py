"""The underscore names of Pykka that `supervisors` overrides or calls. A release that changes one must fail here."""

from __future__ import annotations

import inspect
from typing import Any

import pykka
import pytest
from pykka import messages
from pykka._envelope import Envelope

from supervisors import LightActor, LightRef, Scheduler, supervise_threading


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_create_actor_inbox", []),
        ("_create_future", []),
        ("_start_actor_loop", ["self"]),
        ("_actor_loop", ["self"]),
        ("_handle_receive", ["self", "message"]),
        ("_stop", ["self"]),
        ("on_start", ["self"]),
        ("on_stop", ["self"]),
        ("on_failure", ["self", "exception_type", "exception_value", "traceback"]),
        ("on_receive", ["self", "message"]),
    ],
)
def test_hooks_of_an_actor_type_are_there_with_these_parameters(name: str, expected: list[str]) -> None:
    assert parameters(getattr(pykka.ThreadingActor, name)) == expected


def test_these_are_all_that_an_actor_type_must_override() -> None:
    assert pykka.Actor.__abstractmethods__ == {"_create_actor_inbox", "_create_future", "_start_actor_loop"}


def test_an_envelope_has_these_two_fields() -> None:
    assert list(Envelope.__slots__) == ["message", "reply_to"]
    envelope = Envelope("message", reply_to=None)
    assert (envelope.message, envelope.reply_to) == ("message", None)


def test_pykkas_own_messages_are_these() -> None:
    assert isinstance(messages._ActorStop(), tuple)
    ours = {messages._ActorStop, messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr}
    found = {
        value for value in vars(messages).values() if isinstance(value, type) and value.__module__ == "pykka.messages"
    }
    assert found == ours


def test_plain_actor_gets_its_inbox_and_future_from_these_hooks() -> None:
    asked: list[str] = []

    class Probe(pykka.ThreadingActor):
        @staticmethod
        def _create_actor_inbox() -> Any:
            asked.append("inbox")
            return pykka.ThreadingActor._create_actor_inbox()

        @staticmethod
        def _create_future() -> Any:
            asked.append("future")
            return pykka.ThreadingActor._create_future()

        def _start_actor_loop(self) -> None:
            asked.append("loop")
            super()._start_actor_loop()

        def _actor_loop(self) -> None:
            asked.append("run")
            super()._actor_loop()

        def _stop(self) -> None:
            asked.append("stop")
            super()._stop()

    ref = Probe.start()
    ref.stop()
    assert sorted(asked) == sorted(["inbox", "loop", "run", "future", "stop"])


def test_a_reference_takes_these_from_its_actor() -> None:
    ref: Any = supervise_threading(pykka.ThreadingActor).start()
    assert set(vars(ref)) >= {"_actor_weakref", "actor_class", "actor_urn", "actor_inbox", "actor_stopped"}
    assert ref._actor_weakref().actor_ref is ref
    ref.stop()


def test_pykkas_own_reference_works_with_a_light_actor() -> None:
    class Echo(LightActor):
        def on_receive(self, message: Any) -> Any:
            seen.append(message)
            return message

    seen: list[Any] = []
    scheduler = Scheduler("contract")
    scheduler.start()
    try:
        light = Echo.start(scheduler=scheduler)
        assert isinstance(light, LightRef)
        plain: pykka.ActorRef[Any] = pykka.ActorRef(light._actor)  # type: ignore[arg-type]
        plain.tell("told")
        assert plain.ask("asked", timeout=10) == "asked"
        assert plain.proxy().actor_urn.get(timeout=10) == light.actor_urn
        assert seen == ["told", "asked"]
        assert plain.stop(timeout=10)
        assert not plain.is_alive()
        with pytest.raises(pykka.ActorDeadError):
            plain.ask("dead", timeout=10)
    finally:
        scheduler.stop()
