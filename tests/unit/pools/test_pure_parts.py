from __future__ import annotations

from typing import Any

import pytest

from slither_actors import OptionError, OptionTypeError, PoolSpec
from slither_actors.pools.assignment.job import Job, RunQueue, next_request_id
from slither_actors.pools.assignment.slots import MAX_AHEAD, pipe_depth
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.wire import frames as wire
from slither_actors.wire.frames import FrameParser

# --- PoolSpec


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("size", 0, "at least 1"),
        ("size", -3, "at least 1"),
        ("size", True, "a whole number"),
        ("size", 2.0, "a whole number"),
        ("size", "2", "a whole number"),
        ("start_timeout", 0, "above 0"),
        ("start_timeout", -1, "above 0"),
        ("start_timeout", float("nan"), "finite"),
        ("start_timeout", float("inf"), "finite"),
        ("start_timeout", None, "a number of seconds"),
        ("start_timeout", True, "a number of seconds"),
        ("shutdown", -0.1, "at least 0"),
        ("shutdown", "5", "a number of seconds"),
        ("max_frame", 10, "at least 1024"),
        ("max_seconds", 0, "above 0"),
        ("max_restarts", -1, "at least 0"),
        ("max_restarts", "many", "a whole number"),
        ("max_restarts", 1.5, "a whole number"),
        ("path", "models", "a list of texts"),
        ("path", b"models", "a list of texts"),
        ("path", ["ok", ""], r"path\[1\] must be text that is not empty"),
        ("path", [1], r"path\[0\]"),
        ("preload", "numpy", "a list of texts"),
        ("preload", {"numpy"}, "a list of texts"),
        ("python", "", "not empty"),
        ("python", 3, "must be text"),
        ("adapter", "no_colon", "package.module:Class"),
        ("adapter", ":Class", "package.module:Class"),
        ("adapter", "module:", "package.module:Class"),
        ("adapter", 5, "must be text"),
        ("env", ["A=1"], "a mapping with text keys"),
        ("env", {1: "x"}, "a mapping with text keys"),
        ("env", {"A": 1}, r"env\['A'\] must be text"),
        ("init", [1], "a mapping with text keys"),
        ("init", {1: 1}, "a mapping with text keys"),
        ("affinity", "sticky", "'none', 'hint', 'strict', 'fail_fast'"),
    ],
)
def test_a_bad_value_names_its_key_and_what_is_allowed(key: str, value: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text) as caught:
        PoolSpec(**{key: value})
    assert str(caught.value).startswith(key)
    with pytest.raises(OptionError, match=f"pool 'gpu': {key}"):
        PoolSpec.of({key: value}, "gpu")


def test_an_unknown_key_names_pool_nearest_one_and_all_known() -> None:
    with pytest.raises(OptionError, match=r"pool 'gpu': unknown key 'sise', did you mean 'size'.*start_timeout"):
        PoolSpec.of({"sise": 3}, "gpu")


@pytest.mark.parametrize("value", [None, 3, "gpu", [("size", 1)]])
def test_a_spec_is_a_spec_or_a_mapping(value: Any) -> None:
    with pytest.raises(OptionTypeError, match="pool 'gpu' must be a PoolSpec or a mapping"):
        PoolSpec.of(value, "gpu")


def test_a_spec_is_frozen_and_copies_what_it_was_given() -> None:
    env, path = {"A": "1"}, ["models"]
    spec = PoolSpec(size=3, env=env, path=path)
    env["B"] = "2"
    path.append("more")
    assert spec.env == {"A": "1"}
    assert spec.path == ("models",)
    with pytest.raises(AttributeError):
        spec.size = 4  # type: ignore[misc]
    assert PoolSpec.of(spec, "x") is spec


@pytest.mark.parametrize(("size", "budget"), [(1, 20), (5, 20), (6, 24), (100, 400)])
def test_the_budget_grows_with_the_pool(size: int, budget: int) -> None:
    assert PoolSpec(size=size).max_restarts == budget
    assert PoolSpec(size=size, max_restarts=None).max_restarts is None
    assert PoolSpec(size=size, max_restarts=0).max_restarts == 0


# --- pipes


def test_the_shorter_the_jobs_the_more_of_them_are_in_a_pipe() -> None:
    averages = [0.0, 1e-9, 0.001, 0.0025, 0.003, 0.005, 0.01, 0.019, 0.02, 0.05, 0.099, 0.1, 1.0, 1e9]
    depths = [pipe_depth(average) for average in averages]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == 1 + MAX_AHEAD
    assert pipe_depth(0.01) == 3
    assert pipe_depth(0.05) == 2
    assert pipe_depth(0.1) == pipe_depth(None) == 1


# --- frames


@pytest.mark.parametrize("body", [b"", b"x" * 10, b"x" * 10_000])
@pytest.mark.parametrize("buffers", [[], [b"b" * 70_000, memoryview(b"c" * 16)]])
@pytest.mark.parametrize("module", [None, "m"])
def test_a_jobs_frame_can_be_parsed_and_says_what_it_is(body: bytes, buffers: list[Any], module: str | None) -> None:
    job = Job(RunQueue(max_in_flight=1, ahead=True, timeout=None), 3, 5)
    job.target = Target(module, "f")
    job.body, job.buffers, job.side, job.attempt = body, buffers, b"side", 2
    *loads, frame = FrameParser(accepts=wire.FROM_HOST).feed(b"".join(RequestQueue().put([job])))
    assert [load.kind for load in loads] == ([] if module is None else [wire.LOAD])
    assert frame.kind == (wire.COMMAND if module is None else wire.CALL)
    assert (frame.request_id, frame.attempt, frame.count) == (job.request_id, 2, 5)
    assert (bytes(frame.side), bytes(frame.body), bytes(frame.buffers)) == (b"side", body, b"".join(buffers))


def test_large_payloads_are_not_copied_into_the_frame() -> None:
    job = Job(RunQueue(max_in_flight=1, ahead=True, timeout=None), 3, 5)
    job.body, job.buffers = b"x" * 10_000, [b"b" * 70_000]
    parts = RequestQueue().put([job])
    assert parts[1] is job.body
    assert parts[2] is job.buffers[0]


def test_a_function_is_loaded_once_before_its_first_batch() -> None:
    run_queue = RunQueue(max_in_flight=1, ahead=True, timeout=None)
    f, g = Target("m", "f"), Target("m", "g")
    requests = RequestQueue()
    jobs = [Job(run_queue, number, 1, target, b"", b"x") for number, target in enumerate([f, f, g, f])]
    parse = FrameParser(accepts=wire.FROM_HOST).feed
    kinds = [frame.kind for frame in parse(b"".join(requests.put(jobs)))]
    assert kinds == [wire.LOAD, wire.CALL, wire.CALL, wire.LOAD, wire.CALL, wire.CALL]
    assert len(requests) == 6
    assert [frame.kind for frame in parse(b"".join(requests.put(jobs[:1])))] == [wire.CALL]


def test_request_ids_are_never_given_twice() -> None:
    assert len({next_request_id() for _ in range(1000)}) == 1000
