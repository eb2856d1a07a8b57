"""Threads with a small C stack encode and decode what large ones do, or say that they cannot: msgpack recurses in C.

Each in a process of its own, which a stack overflow would end.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support import scripts

HARMLESS = "[1, 'text', {'a': [1.5, None]}, datetime.datetime.now(datetime.timezone.utc), ((1, 2), (3, (4,)))]"

THREAD = """
    import datetime
    def in_a_thread(kib, work):
        results = []
        def caught():
            try:
                results.append(work())
            except Exception as error:
                results.append(error)
        threading.stack_size(kib << 10)
        thread = threading.Thread(target=caught)
        thread.start()
        threading.stack_size(0)
        thread.join()
        return results[0]
    def nested(kind, levels, value=1):
        for _ in range(levels):
            value = kind(value)
        return value
"""


@pytest.mark.parametrize("kib", [64, 128, 256])
def test_results_are_taken_in_a_thread_with_a_small_stack(tmp_path: Path, kib: int) -> None:
    done = scripts.run(
        tmp_path,
        f"""{THREAD}
    rows = [{HARMLESS}] * 200
    with System({{"default": PoolSpec(size=1)}}) as system:
        def work():
            return [item.payload for item in system.dispatch.run(rows, module="functions", function="echo")]
        print(in_a_thread({kib}, work) == rows)
        def lazily():
            return [item.payload for item in system.dispatch.stream(iter(rows), module="functions", function="echo")]
        print(in_a_thread({kib}, lazily) == rows)
    """,
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["True", "True"], "", 0)


@pytest.mark.parametrize("kib", [32, 64, 128, 512, 8192])
def test_whatever_is_nested_never_overflows_a_stack(tmp_path: Path, kib: int) -> None:
    done = scripts.run(
        tmp_path,
        f"""{THREAD}
    from slither_actors.runs.output.reply_decoder import ReplyDecoder
    from slither_actors.wire.codec import DecodeError, EncodeError, Encoder, decode, encode
    from slither_actors.wire.header import REPLY, Frame
    def quick(data):
        return ReplyDecoder().decode(Frame(REPLY, 0, 0, 1, 1, 0, b"", data))
    kinds = {{
        "list": lambda v: [v], "map": lambda v: {{"a": v}}, "tuple": lambda v: (v,), "set": lambda v: frozenset([v]),
        "key": lambda v: {{v: 1}} if type(v) in (int, tuple) else (1,), "row": lambda v: [0] * 3000 + [v],
    }}
    for name, kind in kinds.items():
        for levels in (1, 3, 10, 40, 60, 400, 510):
            value = nested(kind, levels)
            try:
                data = encode([value])
            except EncodeError:
                data = b""
            result = in_a_thread({kib}, lambda: encode([value]))
            assert result == data or isinstance(result, EncodeError), (name, levels, result)
            if data:
                for way in (decode, quick):
                    result = in_a_thread({kib}, lambda: way(data))
                    assert isinstance(result, DecodeError) or encode(result) == data, (name, levels)
                # A few levels of them fit into any stack.
                assert levels > 3 or not isinstance(result, Exception), (name, levels, result)
    lists_in_tuples = nested(lambda v: (nested(lambda w: [w], 400, v),), 60)
    assert isinstance(in_a_thread({kib}, lambda: encode([lists_in_tuples])), EncodeError)
    print("done")
    """,
        seconds=90,
    )
    assert (done.stdout, done.stderr[-2000:], done.returncode) == ("done\n", "", 0)
