from __future__ import annotations

import sys
import threading

import pytest

from slither_actors import telemetry
from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.telemetry import BATCH_EXCEPTION, BATCH_START, BATCH_STOP, Event


def now(function, *arguments):
    function(*arguments)
    return True


def test_a_handler_gets_the_events_that_it_was_attached_to():
    seen = []
    with telemetry.attach("slither.dispatch.batch.stop", seen.append):
        telemetry.emit(BATCH_START, {"size": 1}, {}, now)
        telemetry.emit(BATCH_STOP, {"size": 2}, {"pipe": "p"}, now)
    assert seen == [Event(BATCH_STOP, {"size": 2}, {"pipe": "p"})]


def test_after_detach_it_gets_no_more():
    seen = []
    handle = telemetry.attach(BATCH_STOP, seen.append)
    assert telemetry.detach(handle)
    telemetry.emit(BATCH_STOP, {}, {}, now)
    assert seen == []
    assert not telemetry.detach(handle)
    assert not handle.detach()


def test_attached_says_whether_anybody_wants_an_event():
    assert not telemetry.attached(BATCH_STOP)
    with telemetry.attach(BATCH_STOP, print):
        assert telemetry.attached(BATCH_STOP)
        assert not telemetry.attached(BATCH_START)
    assert not telemetry.attached(BATCH_STOP)


def test_handlers_are_called_in_order_each_by_submit():
    seen, submitted = [], []

    def submit(function, *arguments):
        submitted.append(function.__self__.handler)
        function(*arguments)

    def one(event):
        seen.append("one")

    def two(event):
        seen.append("two")

    with telemetry.attach(BATCH_STOP, one), telemetry.attach(BATCH_STOP, two), telemetry.attach(BATCH_STOP, one):
        telemetry.emit(BATCH_STOP, {}, {}, submit)
    assert seen == ["one", "two", "one"]
    assert submitted == [one, two, one]


def test_detaching_one_of_two_equal_handlers_leaves_the_other():
    seen = []
    first = telemetry.attach(BATCH_STOP, seen.append)
    with telemetry.attach(BATCH_STOP, seen.append):
        first.detach()
        telemetry.emit(BATCH_STOP, {}, {}, now)
    assert len(seen) == 1


def test_nothing_is_submitted_where_nobody_listens():
    telemetry.emit(BATCH_EXCEPTION, {}, {}, lambda *arguments: pytest.fail("submitted"))


@pytest.mark.parametrize("event", ["slither.dispatch.batch.strat", "", "slither.dispatch"])
def test_an_unknown_event_is_refused_and_known_ones_are_named(event):
    with pytest.raises(OptionError, match=r"event must be one of 'slither\.dispatch\.batch\.start', "):
        telemetry.attach(event, print)


def test_the_originals_way_to_write_an_event_is_refused():
    with pytest.raises(OptionTypeError, match="event must be one of"):
        telemetry.attach(["slither", "dispatch", "batch", "stop"], print)  # type: ignore[arg-type]


def test_a_handler_must_be_a_function():
    with pytest.raises(OptionTypeError, match="handler must be a function such as"):
        telemetry.attach(BATCH_STOP, "print")  # type: ignore[arg-type]


def test_detach_takes_handles_only():
    with pytest.raises(OptionTypeError, match="detach takes what attach returned, not 'x'"):
        telemetry.detach("x")  # type: ignore[arg-type]


def test_many_threads_may_attach_and_detach_at_once():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def work():
            for _ in range(300):
                telemetry.attach(BATCH_STOP, print).detach()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert not telemetry.attached(BATCH_STOP)
