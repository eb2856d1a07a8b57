"""The count of kills for want of memory, read from files as the kernel has them; and what a death by it is called."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.pool_bench import Bench
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, System, WorkerCrashed
from slither_actors.pools.processes import cgroup
from slither_actors.pools.processes.cgroup import OomKills

Make = Callable[..., Bench]

V2 = ("0::/a/b\n", "a/b/memory.events")
V2_OWN_VIEW = ("0::/not/seen/in/here\n", "memory.events")
V1 = ("5:cpu,cpuacct:/x\n4:memory:/a\n1:name=systemd:/y\n", "memory/a/memory.oom_control")
V1_OWN_VIEW = ("4:memory:/docker/1234\n", "memory/memory.oom_control")
HYBRID = ("4:memory:/a\n0::/b\n", "memory/a/memory.oom_control")
V2_FIRST = ("0::/b\n4:memory:/a\n", "memory/a/memory.oom_control")


class Cgroup:
    """A cgroup of files."""

    def __init__(self, folder: Path, said: str = V2[0], counted: str | None = V2[1]) -> None:
        self.proc, self.mounts = folder / "cgroup", folder / "mounts"
        self.proc.write_text(said)
        self.mounts.mkdir()
        self.file = self.mounts / counted if counted is not None else None
        self.killed(0)

    def killed(self, count: int) -> None:
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(f"low 0\nhigh 3\nmax 12\noom 9\noom_kill {count}\noom_group_kill 0\n")

    def kills(self) -> OomKills:
        return OomKills(self.proc, str(self.mounts))


@pytest.mark.parametrize("kind", [V2, V2_OWN_VIEW, V1, V1_OWN_VIEW, HYBRID, V2_FIRST])
def test_the_count_is_found_where_the_kernel_keeps_it(tmp_path: Path, kind: tuple[str, str]) -> None:
    group = Cgroup(tmp_path, *kind)
    kills = group.kills()
    assert kills.count() == 0
    group.killed(7)
    assert kills.count() == 7


@pytest.mark.parametrize("said", ["", "nonsense", "0::/a\n"])
def test_where_nobody_counts_no_death_is_one_of_memory(tmp_path: Path, said: str) -> None:
    kills = Cgroup(tmp_path, said, None).kills()
    assert kills.count() == 0
    assert not kills.explain(0, 1.0)
    assert not OomKills(tmp_path / "none", str(tmp_path)).explain(0, 1.0)


@pytest.mark.parametrize("content", ["", "oom_kill\n", "oom_kill many\n", "oom 3\n"])
def test_a_file_that_says_something_else_is_no_count(tmp_path: Path, content: str) -> None:
    group = Cgroup(tmp_path)
    kills = group.kills()
    assert group.file is not None
    group.file.write_text(content)
    assert kills.count() == 0
    group.file.unlink()
    assert kills.count() == 0


def test_kills_before_the_worker_was_made_say_nothing_of_it(tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    group.killed(5)
    kills = group.kills()
    since = kills.count()
    assert not kills.explain(since, 1.0)
    group.killed(6)
    assert kills.explain(since, 2.0)


def test_workers_that_were_killed_together_are_all_told_so(tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    kills = group.kills()
    group.killed(3)
    assert [kills.explain(0, 10.0), kills.explain(0, 10.1), kills.explain(0, 10.2)] == [True, True, True]


def test_a_kill_long_after_one_of_memory_is_another_matter(tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    kills = group.kills()
    group.killed(1)
    assert kills.explain(0, 10.0)
    assert not kills.explain(0, 500.0)
    group.killed(2)
    assert kills.explain(0, 501.5)


def test_this_process_can_be_asked() -> None:
    assert OomKills().count() >= 0


def test_a_sigkill_that_the_count_explains_is_named(bench: Make, tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    it = bench(max_restarts=None)
    it.link.oom_kills = group.kills()
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    group.killed(1)
    it.do(it.host.die, None, 9)
    error = run_queue.collector.of(1)
    assert isinstance(error, WorkerCrashed)
    assert (error.signal, error.memory_limit) == (9, True)
    assert "was killed by the memory limit of its cgroup" in str(error)
    assert "PoolSpec(max_rss=...)" in str(error)


@pytest.mark.parametrize("signal", [9, 11])
def test_other_deaths_are_not(bench: Make, tmp_path: Path, signal: int) -> None:
    group = Cgroup(tmp_path)
    it = bench(max_restarts=None)
    it.link.oom_kills = group.kills()
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    if signal != 9:
        group.killed(1)  # something else in the cgroup
    it.do(it.host.die, None, signal)
    assert not run_queue.collector.of(1).memory_limit


def test_our_own_kill_is_not(bench: Make, tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    it = bench(max_restarts=None)
    it.link.oom_kills = group.kills()
    it.start()
    group.killed(1)
    run_queue = it.run_queue(timeout=1.0)
    it.submit(run_queue, 1)
    it.scheduler.advance(1.1)
    assert not hasattr(run_queue.collector.of(1), "memory_limit")


def test_a_real_worker_that_is_killed_so_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Cgroup(tmp_path)
    monkeypatch.setattr(cgroup.OomKills.__init__, "__defaults__", (str(group.proc), str(group.mounts)))
    (tmp_path / "killed.py").write_text(
        "import os\ndef by_memory(payloads):\n"
        "    open(payloads[0], 'w').write('oom_kill 1\\n')\n    os.kill(os.getpid(), 9)\n"
    )
    assert group.file is not None
    spec = PoolSpec(size=1, path=[tmp_path, FUNCTIONS])
    with System({"default": spec}) as system, pytest.raises(DispatchError) as caught:
        system.dispatch.run([os.fspath(group.file)], module="killed", function="by_memory")
    assert isinstance(caught.value.reason, WorkerCrashed)
    assert caught.value.reason.memory_limit
