"""No 64 KiB cost an entry point more than 100 ms of processor time (a configuration 300), or memory out of proportion.

The inputs are made to cost as much as they can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import cache, partial

import pytest
from support.processor import MOST_SECONDS, processor_time, settle

from fuzz import targets
from fuzz.hostile_wire import ANNOUNCING, BODIES, MESSAGES, SIZE, STREAMS
from fuzz.hostile_yaml import DOCUMENTS
from fuzz.seeds import ROOT
from slither_actors.system.config import SYSTEM
from slither_actors.wire.buffer_pool import AHEAD
from slither_actors.wire.codec import DecodeError, decode
from slither_actors.wire.frames import FrameParser, ProtocolError
from supervisors.config.cursor import Findings
from supervisors.config.errors import ConfigError
from supervisors.config.formats import Format
from supervisors.config.loader import parse_document
from supervisors.config.tree_config import TREE
from supervisors.config.validator import validate

# What the dearest values take for each byte of a body (an empty dict is 64 bytes and a place in a list); and the room
# that msgpack makes for lists that never come, 80 kB at each of 1,024 levels.
MOST_FOR_A_BODY = 100 * SIZE
MOST_FOR_ANNOUNCEMENTS = 84_000_000
MOST_FOR_A_CONFIGURATION = 500 * SIZE
# A configuration comes from an operator, not from a worker: jsonschema looks at each of its values.
MOST_SECONDS_FOR_A_CONFIGURATION = 0.3


def slow(calls: dict[str, Callable[[], object]], bound: float = MOST_SECONDS) -> dict[str, float]:
    """Return the calls that exceed the bound, with the seconds that each takes."""
    settle()
    times = {name: processor_time(call, enough=bound) for name, call in calls.items()}
    return {name: taken for name, taken in times.items() if taken > bound}


def peak(call: Callable[[], object]) -> int:
    """Most bytes that Python's allocators held for it at a time."""
    call()  # what it loads is not its own
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def decoded(body: bytes) -> None:
    try:
        decode(body, bytearray(64))
    except DecodeError:
        pass


def parsed(data: bytes, size: int) -> None:
    parser = FrameParser()
    try:
        for start in range(0, len(data), size):
            parser.feed(data[start : start + size])
    except ProtocolError:
        pass


def checked(data: bytes, form: Format) -> None:
    """As `supervisors.config.formats.read` does it with a file, to the text of the error or the drawing of the tree."""
    try:
        document = parse_document(data)
        findings = Findings(document, [])
        validate(findings, form.schema)
        form.check(findings.root)
        findings.raise_if_any()
        str(form.outline(document.root.plain()))
    except ConfigError as error:
        str(error)


def form_of(name: str) -> Format:
    return TREE if name.startswith("a tree of its own") else SYSTEM


@cache
def bodies() -> dict[str, bytes]:
    return {name: make() for name, make in BODIES.items()}


def test_no_input_is_larger_than_what_the_bounds_are_for() -> None:
    inputs = {**bodies(), **{name: data for name, (data, _) in STREAMS.items()}}
    inputs |= {name: text.encode() for name, text in DOCUMENTS.items()}
    assert {name: len(data) for name, data in inputs.items() if len(data) > SIZE} == {}


def test_no_body_takes_long() -> None:
    assert slow({name: partial(decoded, body) for name, body in bodies().items()}) == {}


def test_no_message_takes_long() -> None:
    assert slow({name: partial(targets.messages, make()) for name, make in MESSAGES.items()}) == {}


def test_no_stream_takes_long() -> None:
    # Byte by byte it is 65,536 calls, which are the caller's: a pipe gives what it has.
    assert slow({name: partial(parsed, data, max(2, size)) for name, (data, size) in STREAMS.items()}) == {}


@pytest.mark.skipif(len(targets.PARSERS) == 1, reason="without libyaml it takes several times as long")
def test_no_configuration_takes_long() -> None:
    checked(b"tree: [{}]", SYSTEM)  # imports jsonschema
    calls = {name: partial(checked, text.encode(), form_of(name)) for name, text in DOCUMENTS.items()}
    assert slow(calls, MOST_SECONDS_FOR_A_CONFIGURATION) == {}


def test_what_is_announced_does_not_come_takes_little_memory() -> None:
    large = {name: peak(partial(decoded, bodies()[name])) for name in ANNOUNCING}
    assert {name: held for name, held in large.items() if held > MOST_FOR_ANNOUNCEMENTS} == {}
    large = {name: peak(partial(parsed, data, max(64, size))) for name, (data, size) in STREAMS.items()}
    assert {name: held for name, held in large.items() if held > AHEAD + 16 * SIZE + 500_000} == {}


def test_what_comes_takes_memory_in_proportion() -> None:
    large = {name: peak(partial(decoded, bodies()[name])) for name in DEAREST_BODIES}
    assert {name: held for name, held in large.items() if held > MOST_FOR_A_BODY} == {}
    large = {name: peak(partial(checked, DOCUMENTS[name].encode(), SYSTEM)) for name in DEAREST_DOCUMENTS}
    assert {name: held for name, held in large.items() if held > MOST_FOR_A_CONFIGURATION} == {}


DEAREST_BODIES = [
    "empty maps",
    "empty lists",
    "tuples within 64",
    "a map of texts",
    "a set of integers",
    "dimensions of nothing",
    "items of 2 GB",
    "fields within fields",
]
DEAREST_DOCUMENTS = ["refused items below long keys", "a deep tree of actors"]

CHILD = """
import resource, sys
from fuzz.hostile_wire import ANNOUNCING, BODIES, STREAMS
from fuzz.hostile_yaml import DOCUMENTS
from fuzz.test_bounds import DEAREST_BODIES, DEAREST_DOCUMENTS, SYSTEM, checked, decoded, parsed

bodies = [BODIES[name]() for name in (*ANNOUNCING, *DEAREST_BODIES)]
checked(b"tree: [{}]", SYSTEM)  # loads what is needed, as does the next
decoded(BODIES["arrays"]())
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[1]), -1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for body in bodies:
    decoded(body)
for data, size in STREAMS.values():
    parsed(data, max(64, size))
for name in DEAREST_DOCUMENTS:
    checked(DOCUMENTS[name].encode(), SYSTEM)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="says how large a process is")
def test_all_of_them_fit_into_a_process_that_may_grow_by_200_mb() -> None:
    """What Python's own count of memory does not see: what msgpack, libyaml and numpy ask the system for."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "200_000_000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150_000_000
