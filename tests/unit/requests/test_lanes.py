"""Lanes of a System: what keeps them, and what ends them."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from typing import Any

import pytest
from support.pool_bench import Bench
from unit.requests.test_lane import Caller
from unit.requests.test_reply_to import a_request

from slither_actors.errors import PoolUnavailable, SystemStopped
from slither_actors.option_parsing import parse_options
from slither_actors.requests.lane import Lane
from slither_actors.requests.lanes import Lanes
from slither_actors.runs.live_runs import LiveRuns
from supervisors import LightActor, Normal
from supervisors.testing import ManualScheduler

OPTIONS = parse_options({"module": "m", "function": "f"})


class Runs(LightActor):
    """Stands for the supervisor of runs."""


class Scene:
    """Lanes of a pool on a bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.runs = Runs.start(scheduler=bench.scheduler)
        self.opener: Any = types.SimpleNamespace(
            live=LiveRuns(),
            scheduler=bench.scheduler,
            spec_of=lambda link: bench.spec,
            supervisor=self.runs,
            pool_error=lambda link: link.unavailable(),
        )
        self.lanes = Lanes(self.opener)

    def open(self) -> Lane:
        lane = self.lanes.open(self.bench.link.ref, self.bench.link, OPTIONS)
        self.bench.scheduler.run_until_idle()
        return lane


@pytest.fixture
def scene(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    bench = Bench(manual, monkeypatch).start()
    yield Scene(bench)
    bench.stop()


def test_what_is_pending_in_all_lanes_is_counted(scene: Scene) -> None:
    first, second = scene.open(), scene.open()
    for lane in (first, second, second):
        lane.pending[a_request(lane, 1, Caller())] = None
    assert scene.opener.live.count == 3


def test_a_lane_that_is_not_used_is_gone_at_once(scene: Scene) -> None:
    gc.disable()
    try:
        for _ in range(100):
            scene.open()
    finally:
        gc.enable()
    assert not scene.lanes._all()
    assert not scene.lanes._lanes
    assert len(scene.lanes._watched) == 2


def test_the_end_of_the_pool_fails_its_lanes(scene: Scene) -> None:
    lane, caller = scene.open(), Caller()
    lane.pending[a_request(lane, 1, caller)] = None
    scene.bench.do(scene.bench.link.ref._actor.exit, Normal())
    assert isinstance(caller.got[1], PoolUnavailable)
    assert isinstance(lane.failed, PoolUnavailable)


def test_the_end_of_the_supervisor_of_runs_fails_all(scene: Scene) -> None:
    lane, caller = scene.open(), Caller()
    lane.pending[a_request(lane, 1, caller)] = None
    scene.bench.do(scene.runs._actor.exit, Normal())
    assert isinstance(caller.got[1], SystemStopped)
    assert scene.opener.live.cut_off == 1
    late = scene.open()  # it finds that out at once
    assert isinstance(late.failed, SystemStopped)
