"""One target under atheris, in a process of its own: libFuzzer never returns. Started by ``python -m tests.fuzz``.

python -m tests.fuzz.driver TARGET [libFuzzer's options and corpus folders]
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Final

import atheris

# What is instrumented, so that the fuzzer sees which lines an input reaches: ours, and PyYAML's own parser. msgpack,
# libyaml and numpy are C and are seen only by what they call.
_INSTRUMENTED: Final = ["slither_actors", "supervisors", "yaml"]
# Ten times what the tests allow, for an instrumented line takes several times as long, and the machine may be busy.
_MOST_SECONDS: Final = 1.0


class TooSlow(AssertionError):
    """An input that takes longer than any may."""


def within_bounds(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target, with a look at the processor time it takes."""

    def run(data: bytes) -> None:
        took = _seconds(target, data)
        if took > _MOST_SECONDS:
            took = min(_seconds(target, data) for _ in range(3))
            if took > _MOST_SECONDS:
                raise TooSlow(f"{len(data)} bytes take {took:.1f} s")

    return run


def _seconds(target: Callable[[bytes], None], data: bytes) -> float:
    began = time.thread_time()
    target(data)
    return time.thread_time() - began


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from .targets import TARGETS
    warnings.simplefilter("ignore")  # numpy tells about old names of types; each would be printed
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, within_bounds(TARGETS[name]))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
