from __future__ import annotations

import copy
import pickle
import signal

import pytest

from slither_actors import errors
from slither_actors.errors import (
    BatchTimeout,
    DispatchError,
    ForkedSystemError,
    LoadError,
    OptionError,
    OptionTypeError,
    PayloadError,
    PoolUnavailable,
    ProtocolError,
    QueueTimeout,
    ReaderTimeout,
    SessionBusy,
    SessionLost,
    SlitherError,
    StartTimeout,
    StrategyError,
    StreamBroken,
    StreamClosed,
    SystemStopped,
    UnexpectedResponse,
    UnknownCommand,
    UnknownOption,
    UnknownPool,
    WorkerCrashed,
    WorkerError,
    WorkerRecycled,
    WorkerUnwanted,
)
from slither_actors.item import Item

EXAMPLES = [
    SlitherError("message"),
    OptionError("message"),
    OptionTypeError("message"),
    UnknownOption("tiemout", ["timeout", "pool"]),
    UnknownOption("x", ["timeout"], "say y"),
    UnknownPool("gpu", ["cpu"]),
    UnknownPool(None, ["a", "b"]),
    UnknownCommand("scor", ["score"], "gpu"),
    UnknownCommand("score", []),
    DispatchError(
        "message",
        reason=BatchTimeout(3.0),
        batch_ref=4,
        partial_results=[Item(1, 2, {"a": 1})],
        unfinished=[5, 6],
        failed=[5],
    ),
    BatchTimeout(0.5),
    BatchTimeout(0.5, inline=True),
    WorkerCrashed(exit_code=3, stderr_tail="one\ntwo"),
    WorkerCrashed(signal=11),
    WorkerCrashed(),
    WorkerError("builtins.ValueError", "bad", "Traceback ...", kind="user"),
    WorkerRecycled("max_rss"),
    WorkerUnwanted(),
    QueueTimeout("gpu", 2.0),
    LoadError("m:f", WorkerError("builtins.ModuleNotFoundError", "No module named 'm'", kind="load")),
    UnexpectedResponse("message", expected=3, got=2),
    PayloadError(37, "['user'][3]", "objects cannot be sent"),
    PayloadError(None, "", "objects cannot be sent"),
    PoolUnavailable("gpu", "too many restarts"),
    StartTimeout(60),
    StrategyError("it lost items", [1, 2]),
    SessionLost("s"),
    SessionBusy("s"),
    SystemStopped("stopped"),
    StreamBroken("message", reason=ReaderTimeout(3.0), delivered=2),
    ReaderTimeout(3.0),
    StreamClosed("closed"),
    ForkedSystemError(),
    ProtocolError("magic", "no frame"),
]


def test_every_error_has_an_example_here():
    named = {getattr(errors, name) for name in errors.__all__}
    assert {type(error) for error in EXAMPLES} == named


def plain(value):
    """Attributes, comparable: errors and items inside as what they are made of."""
    if isinstance(value, BaseException):
        return type(value), str(value), plain(vars(value))
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_errors_survive_pickling_and_copying(error, again):
    back = again(error)
    assert back is not error
    assert plain(back) == plain(error)
    assert back.args == error.args


def test_a_timeout_says_what_became_of_the_one_that_was_late():
    assert "the worker was killed and is replaced" in str(BatchTimeout(0.5))
    text = str(BatchTimeout(0.5, inline=True))
    assert "its thread cannot be killed: it runs on" in text
    assert "worker" not in text


@pytest.mark.parametrize(("failed", "item_id"), [([], None), (["a"], "a"), (["a", "b"], None)])
def test_a_failed_run_names_the_one_item_that_failed(failed, item_id):
    error = pickle.loads(pickle.dumps(DispatchError("message", unfinished=["a", "b", "c"], failed=failed)))
    assert (error.failed, error.item_id) == (failed, item_id)


def test_notes_survive_pickling():
    error = BatchTimeout(1.0)
    error.add_note("in the third stage")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["in the third stage"]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_says_something_in_words(error):
    assert len(str(error)) >= 6
    assert "object at 0x" not in str(error)


def test_all_but_protocol_errors_share_one_base():
    assert all(isinstance(error, SlitherError) for error in EXAMPLES if type(error) is not ProtocolError)


def test_option_errors_are_value_or_type_errors():
    assert issubclass(OptionError, ValueError)
    assert issubclass(OptionTypeError, TypeError)
    assert issubclass(UnknownPool, OptionError)


def test_unknown_names_come_with_the_nearest_and_all_known_ones():
    assert str(UnknownOption("tiemout", ["timeout", "pool"])) == (
        "unknown option 'tiemout', did you mean 'timeout'?; known: timeout, pool"
    )
    assert str(UnknownPool("gpus", ["gpu", "cpu"])) == "there is no pool 'gpus', did you mean 'gpu'?; known: gpu, cpu"
    assert "@command" in str(UnknownCommand("score", []))


def test_a_crash_says_how_worker_died_and_what_it_wrote_last():
    assert "killed by SIGSEGV (signal 11)" in str(WorkerCrashed(signal=int(signal.SIGSEGV)))
    assert "killed by signal 200" in str(WorkerCrashed(signal=200))
    assert str(WorkerCrashed(exit_code=0, stderr_tail="one\ntwo\n")).endswith(
        "code 0; its last words on stderr:\none\ntwo"
    )


def test_a_workers_error_shows_type_message_and_traceback():
    text = str(WorkerError("builtins.ValueError", "bad", "Traceback (most recent call last):\n  File x\n"))
    assert text.startswith("ValueError: bad")
    assert text.endswith("In the worker:\nTraceback (most recent call last):\n  File x")
    assert str(WorkerError("m.Silent", "")) == "m.Silent"


@pytest.mark.parametrize("name", ["ModuleNotFoundError", "builtins.ModuleNotFoundError"])
def test_a_module_that_is_not_found_comes_with_the_remedy(name):
    reason = WorkerError(name, "No module named 'm'", kind="load")
    assert "PoolSpec(path=[...])" in str(LoadError("m:f", reason))


def test_a_payload_error_names_item_and_place():
    assert str(PayloadError(37, "['a']", "it is a function; send its name")) == (
        "the payload of item 37 cannot be sent to a worker, at ['a']: it is a function; send its name"
    )


def test_a_strategy_error_names_ten_items_and_has_them_all():
    error = StrategyError("lost", range(25))
    assert str(error) == "lost (items 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 15 more)"
    assert error.ids == list(range(25))


def test_a_bad_or_endless_repr_does_not_spoil_a_message():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert "<Broken whose repr fails>" in str(PayloadError(Broken(), "", "x"))
    assert len(str(PayloadError("x" * 10_000, "", "x"))) < 200


def test_a_timeout_says_whose_it_was_and_what_to_do() -> None:
    whole = str(BatchTimeout(2.0, count=64, average=0.5))
    assert "its timeout of 2 s, which is for the whole batch of 64 items, 0.5 s each on average" in whole
    assert "give a smaller batch_size or a longer timeout" in whole
    assert "; give fewer items or a longer timeout; " in str(BatchTimeout(2.0, count=64, ready=True))
    bound = str(BatchTimeout(2.0, option="batch_timeout", count=64, done=10))
    assert "its batch_timeout of 2 s" in bound
    assert "64 items, of which 10 were done" in bound
    late = BatchTimeout(2.0, of="item", count=64, done=40, average=0.01)
    late.add_note("where it was")
    item = late.at_item("x")
    assert item.__notes__ == ["where it was"]
    assert str(item).startswith("item 'x' was not done within its timeout of 2 s (40 of the 64 items of its batch were")
    again = pickle.loads(pickle.dumps(item))
    assert (str(again), vars(again)) == (str(item), vars(item))
