"""Coverage-guided fuzzing of the entry points, by atheris; needs the extra ``fuzz``. Not part of the suite.

    python -m tests.fuzz [TARGET ...] [--seconds 30] [--corpus FOLDER]

Ends with 1 if an input broke a target's promise; it is printed as a test that can be pasted into `test_found.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .seeds import CORPUS, ROOT

# Beyond these libFuzzer itself calls an input a failure. The bounds that are promised are tighter, and the driver's and
# the tests' to hold; 2 GB leaves room for what libFuzzer keeps of its own.
_LIMITS = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=65536"]
_LINES_TOLD = 40


def main(argv: list[str] | None = None) -> int:
    """Fuzz one target after the other. The exit code: whether anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(CORPUS)}; by default all")
    parser.add_argument("--seconds", type=int, default=30, help="for each target (30)")
    parser.add_argument("--corpus", type=Path, help="a folder that keeps the inputs worth going on from, a folder each")
    given = parser.parse_args(argv)
    unknown = [name for name in given.targets if name not in CORPUS]
    if unknown:
        parser.error(f"there is no target {unknown[0]}; there are {', '.join(CORPUS)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed; pip install -e '.[fuzz]' gets it (make fuzz does so by itself)")
    found = [fuzz(name, given.seconds, given.corpus) for name in given.targets or CORPUS]
    return int(any(found))


def fuzz(target: str, seconds: int, corpus: Path | None) -> bool:
    """Fuzz one target and tell what came of it. Whether anything was found."""
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{target}-") as scratch:
        seeds, kept, failures = (Path(scratch, name) for name in ("seeds", "kept", "failures"))
        if corpus is not None:
            kept = corpus / target
        for folder in (seeds, kept, failures):
            folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(CORPUS[target]()):
            (seeds / f"{number:03}").write_bytes(data)
        command = [sys.executable, "-m", "tests.fuzz.driver", target, str(kept), str(seeds), *_LIMITS]
        command += [f"-max_total_time={seconds}", f"-artifact_prefix={failures}/", "-print_final_stats=1"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        broken = sorted(failures.iterdir())
        print(told(target, done.stdout, done.returncode, [file.read_bytes() for file in broken]), flush=True)
        return bool(broken) or done.returncode != 0


def told(target: str, output: str, code: int, broken: list[bytes]) -> str:
    """What came of fuzzing a target, for people: how much was tried, and what was found as a test."""
    runs = re.search(r"number_of_executed_units: *(\d+)", output)
    tried = f"{int(runs[1]):,} executions" if runs else "an unknown number of executions"
    reached = re.findall(r"cov: (\d+)", output)
    head = f"{target}: {tried}, {reached[-1] if reached else 0} branches reached"
    if not broken and not code:
        return f"{head}, nothing found"
    lines = [f"{head}, FAILED with exit code {code}", *output.splitlines()[-_LINES_TOLD:]]
    for data in broken:
        lines += ["", "def test_what_was_found() -> None:", f"    {target}({literal(data)})"]
    return "\n".join(lines)


def literal(data: bytes) -> str:
    """Bytes as an expression in which long runs of one byte are short."""
    parts = []
    start = 0
    for run in re.finditer(rb"(.)\1{30,}", data, re.DOTALL):
        if run.start() > start:
            parts.append(repr(data[start : run.start()]))
        parts.append(f"{run[1]!r} * {len(run[0])}")
        start = run.end()
    if start < len(data) or not parts:
        parts.append(repr(data[start:]))
    return " + ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
