"""Running a System until the process is told to end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from slither_actors.health import DrainReport

if TYPE_CHECKING:
    from slither_actors.system import System

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_until_signal(system: System, drain_timeout: float, signals: Sequence[int] = SIGNALS) -> tuple[int, DrainReport]:
    """Wait for one of `signals`, then drain the System.

    A second signal ends the drain at once. The handlers that were there before are put back.

    Args:
        system: running.
        drain_timeout: seconds that runs under way get to finish.
        signals: numbers.

    Returns:
        The signal that came, and what the drain came to.

    Raises:
        ValueError: not called in the main thread, where alone Python runs signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("run_until_signal must be called in the main thread: only there Python handles signals")
    # A pipe and no Event: a handler may interrupt the very code that holds an Event's lock.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def heard(number: int, frame: object) -> None:
        os.write(writer, bytes([number]))

    before = {number: signal.signal(number, heard) for number in signals}
    try:
        first = os.read(reader, 1)[0]
        done: list[DrainReport] = []

        def drain() -> None:
            done.append(system.drain(drain_timeout))
            os.write(writer, b"\0")

        thread = threading.Thread(target=drain, name="slither-drain")
        thread.start()
        if os.read(reader, 1)[0]:
            system.stop()
        thread.join()
        return first, done[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
