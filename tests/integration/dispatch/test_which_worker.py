"""A worker knows which one it is, before anything of the user's is imported and over its replacements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slither_actors import PoolSpec, Retry, System, worker

PLACE = """
from slither_actors import worker
AT_IMPORT = (worker.pool(), worker.index())

def place(payloads):
    if payloads == ["die"]:
        import os
        if worker.index() == 0:
            os._exit(1)
    assert (worker.pool(), worker.index()) == AT_IMPORT
    return [AT_IMPORT for _ in payloads]
"""


def test_each_worker_has_an_index_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "place.py").write_text(PLACE)
    spec = PoolSpec(size=3, path=[tmp_path], preload=["place"])
    with System({"gpu": spec, "other": PoolSpec(size=1, path=[tmp_path])}) as system:
        call = {"module": "place", "function": "place", "batch_size": 1, "prefetch": 0}
        places = {item.payload for item in system.dispatch.run(range(60), pool="gpu", **call)}
        assert {item.payload for item in system.dispatch.run([1], pool="other", **call)} == {("other", 0)}
    assert places <= {("gpu", 0), ("gpu", 1), ("gpu", 2)}


def test_a_worker_that_replaces_another_has_its_index(tmp_path: Path) -> None:
    (tmp_path / "place.py").write_text(PLACE)
    with System({"default": PoolSpec(size=2, path=[tmp_path])}) as system:
        call = {"module": "place", "function": "place", "batch_size": 1}
        before = {item.payload for item in system.dispatch.run([1] * 40, **call)}
        (item,) = system.dispatch.run(["die"], **call, on_error=Retry(max_attempts=3, backoff=0.01))
        after = {item.payload for item in system.dispatch.run([1] * 40, **call)}
    assert item.payload == ("default", 1)
    assert before | after <= {("default", 0), ("default", 1)}


@pytest.mark.parametrize("ask", [worker.index, worker.pool])
def test_a_process_that_is_no_worker_has_no_place(ask: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="not a worker"):
        ask()
