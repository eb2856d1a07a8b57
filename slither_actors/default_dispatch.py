"""`Dispatch`: the dispatcher of the System that is in use, or of a default one that is started on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from slither_actors.dispatch import Dispatcher
from slither_actors.errors import FINALIZING, SlitherError, SystemStopped
from slither_actors.item import Item
from slither_actors.option_parsing import parse_options
from slither_actors.option_types import CallKwargs, RunKwargs
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.output.stream import Stream
from slither_actors.sources import check_source
from slither_actors.system import registry
from slither_actors.system.system import System
from slither_actors.worker import in_worker

# asyncio is imported on first use: that alone takes some 50 ms, which a command-line program would pay for nothing.
if TYPE_CHECKING:
    from slither_actors.runs.output.async_stream import AsyncStream


def current_system() -> System:
    """Return the System that `Dispatch` uses here.

    In an actor of a System's tree, and on every other thread of its own (sources, strategies and inline executors of
    its runs, telemetry handlers), that System, whatever its state. Threads that such code starts are not the System's:
    `asyncio.to_thread` and `contextvars.copy_context().run` carry it there.

    Elsewhere the running System that was started last; or the default one, started now and stopped at exit.

    Raises:
        SlitherError: inside a worker, where a default System would make workers of workers.
        SystemStopped: there is none, and the interpreter is exiting.
    """
    found = _running()
    if found is not None:
        return found
    if sys.is_finalizing():  # before the lock, which a frozen thread may hold
        raise SystemStopped(FINALIZING)
    if in_worker():
        raise SlitherError(
            "Dispatch inside a worker would start a pool for each worker; "
            "if that is what you want, start a System of your own there: with System(pools={...}) as system: ..."
        )
    # Not under the registry's lock, for which other Systems would wait. A second thread waits in `start` for the first.
    default = registry.default(lambda: System(name="slither-default"))
    assert isinstance(default, System)
    return default.start()


def _running() -> System | None:
    found = registry.running_system()
    assert found is None or isinstance(found, System)
    return found


async def _adispatcher() -> Dispatcher:
    """Return the dispatcher. A default System that does not run yet is started in a thread beside the loop."""
    system = _running()
    if system is None:
        from slither_actors.run_in_thread import run_in_thread

        system = await run_in_thread(current_system, "slither-default-start")
    return system.dispatch


class Dispatch:
    """Batched dispatch on the running System that was started last, or else on a default one with a pool "default".

    The default one is started on first use: also where another System has been stopped, and in a forked child.
    `System.dispatch` has the same methods for exactly that System and raises SystemStopped or ForkedSystemError there;
    it is what a service should use.
    """

    @staticmethod
    def run(items: Iterable[Any], **options: Unpack[RunKwargs]) -> list[Item]:
        """Dispatch all items and return all results: `Dispatcher.run`."""
        return current_system().dispatch.run(items, **options)

    @staticmethod
    def stream(items: Iterable[Any], **options: Unpack[RunKwargs]) -> Stream:
        """Dispatch items lazily.

        Options are checked at this call; nothing is pulled before the stream is iterated.

        Args:
            items: any iterable of Items or bare payloads, finite or not.
            options: those of `slither_actors.option_types.RunKwargs`, and the parameters of an executor or strategy
                class of your own. docs/options.md has a table of them.

        Raises:
            OptionError: an option is unknown or has a bad value.
        """
        return current_system().dispatch.stream(items, **options)

    @staticmethod
    def call_batch(batch: Sequence[Any], **options: Unpack[CallKwargs]) -> list[Item]:
        """Dispatch one ready batch: `Dispatcher.call_batch`."""
        return current_system().dispatch.call_batch(batch, **options)

    @staticmethod
    async def arun(items: Source, **options: Unpack[RunKwargs]) -> list[Item]:
        """`run` for asyncio, of sync and asynchronous sources: `Dispatcher.arun`."""
        return await (await _adispatcher()).arun(items, **options)

    @staticmethod
    def astream(items: Source, **options: Unpack[RunKwargs]) -> AsyncStream:
        """`stream` for asyncio, of sync and asynchronous sources: `Dispatcher.astream`.

        Example::

            async with Dispatch.astream(source(), function=predict) as stream:
                async for item in stream: ...

        Where the default System has to be started first, that happens when the first result is asked for, and only then
        is it known whether it has the pool.
        """
        from slither_actors.runs.output.async_stream import AsyncStream

        system = _running()
        if system is not None:
            return system.dispatch.astream(items, **options)
        check_source(items, asynchronous=True)
        checked = parse_options(options)

        async def opener() -> Consumer:
            return (await _adispatcher())._engine.open_run(items, checked)

        return AsyncStream(opener)

    @staticmethod
    async def acall_batch(batch: Sequence[Any], **options: Unpack[CallKwargs]) -> list[Item]:
        """`call_batch` for asyncio: `Dispatcher.acall_batch`."""
        return await (await _adispatcher()).acall_batch(batch, **options)
