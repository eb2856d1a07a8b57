"""The memory that a pool and its workers share for large payloads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System
from slither_actors.pools import memory_rest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no such memory elsewhere")
MIB = 1 << 20


def shared_bytes() -> int:
    """What the shared files of this process's pools hold, the workers' among them."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        try:
            if os.readlink(path).startswith("/memfd:slither_actors"):
                total += os.stat(path).st_blocks * 512
        except OSError:  # that of the listing itself
            continue
    return total


def test_a_system_at_rest_holds_none_and_uses_it_again(
    eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_rest, "TRIM_AFTER", 0.5)
    payloads = [bytes([number]) * MIB for number in range(20)]
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        for _ in range(2):
            most = 0
            with system.dispatch.stream(payloads, module="tasks", function="double", batch_size=1) as stream:
                for item, payload in zip(stream, payloads, strict=True):
                    assert item.payload == 2 * payload
                    most = max(most, shared_bytes())
            assert most >= 3 * MIB  # a request and its reply
            eventually(lambda: shared_bytes() == 0, 20)
