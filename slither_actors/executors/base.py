"""The protocols of executors, which users implement for their own, and the requests that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from slither_actors.context import Context
from slither_actors.item import Item
from slither_actors.validation.kinds import Choice, Text
from slither_actors.validation.option import Option

Affinity = Literal["none", "hint", "strict", "fail_fast"]
"""What a session id means to the choice of worker."""
AFFINITIES: tuple[str, ...] = get_args(Affinity)

POOL = Option(
    kind=Text(),
    description="Name of the pool",
    unless='the one that the executor names, "default", or the only one',
)
AFFINITY = Option(
    kind=Choice(AFFINITIES),
    description="What the session means to the choice of worker",
    unless="as the pool says",
    see="workers.md#sessions",
    in_file=False,
)


class RunSettings(Protocol):
    """The options of a run, as an executor may read them."""

    @property
    def batch_size(self) -> int | None:
        """Most items in a batch; None where the strategy closes batches by other means."""

    @property
    def max_in_flight(self) -> int:
        """Workers, or threads of an inline executor, that the run may occupy at a time."""

    @property
    def ordering(self) -> Literal["preserve", "as_completed"]:
        """Order of the results."""

    @property
    def timeout(self) -> float | None:
        """Seconds that a batch (with ``each=True`` an item) may take; None: no limit."""

    @property
    def batch_timeout(self) -> float | None:
        """Seconds that a batch may take in any case; None: no limit."""

    @property
    def context(self) -> Context:
        """The run's context."""

    @property
    def pool(self) -> str | None:
        """Name of the pool, where the run names one."""

    @property
    def affinity(self) -> Affinity | None:
        """What a session means to the choice of worker; None: as the pool says."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request: call a function with a list of payloads.

    Args:
        module: dotted name of the module; workers import it.
        function: its name in the module, dotted for attributes (``Class.method``).
        each: call it with one payload at a time.
        payload: the list of payloads; as many results are expected.
    """

    module: str
    function: str
    each: bool
    payload: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A request: call a command of the workers' adapter.

    Args:
        name: of the command.
        payload: a mapping with ``items``, the list of payloads; as many items are expected in the mapping returned.
    """

    name: str
    payload: dict[str, Any]


@runtime_checkable
class RemoteExecutor(Protocol):
    """Makes the request of a batch, and Items of the reply. Pure: no I/O."""

    def request(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Call | Command:
        """Return the request for a batch; called on a thread of the run."""
        ...

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        """Return the Items for a reply, as many as the batch has; called in the consumer's thread."""
        ...


@runtime_checkable
class InlineExecutor(Protocol):
    """Executes batches itself, in this process, on up to ``max_in_flight`` threads of the run at a time."""

    def execute_batch(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Iterable[Item]:
        """Return the results of a batch, as many Items as it has, in its order."""
        ...


def check_pool(pool: object) -> str | None:
    """Return the option ``pool``: a name, or None."""
    return None if pool is None else POOL.check("pool", pool)


def check_affinity(affinity: object) -> Affinity | None:
    """Return the option ``affinity``: one of `AFFINITIES`, or None for the pool's own."""
    return None if affinity is None else AFFINITY.check("affinity", affinity)
