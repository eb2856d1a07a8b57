"""How many processors a process may use, by files made up for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from slither_actors.pools.processes.processors import cgroup_quota, processors

V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"


def tree(root: Path, cgroup: str, mountinfo: str, **files: str) -> str:
    for name, text in {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def count(root: str, affinity: int = 64, **environ: str) -> int:
    return processors(root, environ, affinity, said=environ.get("PYTHON_CPU_COUNT", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("max 100000", 64),
        ("400000 50000", 8),
        ("9900000 100000", 64),
        ("", 64),
        ("nonsense", 64),
        ("200000", 2),
    ],
)
def test_the_quota_of_a_container_is_rounded_up(tmp_path: Path, text: str, expected: int) -> None:
    root = tree(tmp_path, "0::/\n", V2, **{"sys/fs/cgroup/cpu.max": text})
    assert count(root) == expected


def test_the_least_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    base = "sys/fs/cgroup"
    files = {f"{base}/a/b/cpu.max": "max 100000", f"{base}/a/cpu.max": "300000 100000", f"{base}/cpu.max": "max"}
    assert count(tree(tmp_path, "0::/a/b\n", V2, **files)) == 3
    (tmp_path / base / "a/b/cpu.max").write_text("100000 100000")
    assert count(str(tmp_path)) == 1
    (tmp_path / base / "x").mkdir()
    (tmp_path / base / "x/cpu.max").write_text("50000 100000")
    assert count(str(tmp_path)) == 1  # of another cgroup


def test_cgroup_v1_has_its_own_files(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/cpu,cpuacct"
    cgroup = "5:memory:/d/x\n4:cpu,cpuacct:/d/x\n0::/\n"
    files = {f"{base}/d/x/cpu.cfs_quota_us": "250000", f"{base}/d/x/cpu.cfs_period_us": "100000"}
    assert count(tree(tmp_path, cgroup, V1, **files)) == 3
    (tmp_path / base / "d/x/cpu.cfs_quota_us").write_text("-1\n")
    assert count(str(tmp_path)) == 64


@pytest.mark.parametrize("mounted", ["/docker/abc", "/"])
def test_a_container_without_a_namespace_of_its_own(tmp_path: Path, mounted: str) -> None:
    base = "sys/fs/cgroup/cpu"
    info = f"33 25 0:29 {mounted} /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    files = {f"{base}/cpu.cfs_quota_us": "200000", f"{base}/cpu.cfs_period_us": "100000"}
    assert count(tree(tmp_path, "4:cpu:/docker/abc\n", info, **files)) == 2


def test_a_mount_point_with_a_space_in_it(tmp_path: Path) -> None:
    info = V2.replace("/sys/fs/cgroup", "/sys/my\\040groups")
    assert cgroup_quota(tree(tmp_path, "0::/\n", info, **{"sys/my groups/cpu.max": "50000 100000"})) == 0.5


def test_a_path_out_of_the_namespace_is_not_followed(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "200000 100000", "sys/fs/other/cpu.max": "100000 100000"}
    assert count(tree(tmp_path, "0::/../other\n", V2, **files)) == 2


def test_without_mountinfo_the_usual_places_are_looked_at(tmp_path: Path) -> None:
    assert count(tree(tmp_path, "0::/\n", "", **{"sys/fs/cgroup/cpu.max": "100000 100000"})) == 1


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert count(str(tmp_path)) == 64
    assert count(str(tmp_path), 0) == 1


@pytest.mark.parametrize(("said", "expected"), [("3", 3), ("0", 1), ("default", 1), ("-2", 1), ("", 1), ("\u0663", 1)])
def test_what_the_user_says_goes_before_the_quota(tmp_path: Path, said: str, expected: int) -> None:
    root = tree(tmp_path, "0::/\n", V2, **{"sys/fs/cgroup/cpu.max": "100000 100000"})
    assert count(root, PYTHON_CPU_COUNT=said) == expected
    if not said:
        return
    assert processors(root, {"PYTHON_CPU_COUNT": said}, 64) == expected
