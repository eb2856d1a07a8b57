"""The pool of an executor's own, from the parameters of `ProcessPoolExecutor`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import BaseContext
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.futures.errors import UnsendableError
from slither_actors.futures.requests import Codec, prepare
from slither_actors.pools.spec import PoolSpec
from slither_actors.system.system import System
from slither_actors.wire.codec import EncodeError, encode
from slither_actors.wording import shown

_INITIALIZER = "slither_actors.worker.calls:Initializer"


def own_pool(
    max_workers: int | None,
    mp_context: BaseContext | None,
    max_tasks_per_child: int | None,
    keys: Mapping[str, object],
) -> PoolSpec:
    """Return the spec of own workers.

    Args:
        max_workers: how many; None: one for each processor.
        mp_context: None, or one that starts new interpreters.
        max_tasks_per_child: calls after which a worker is replaced.
        keys: what `started_by` returned.

    Raises:
        OptionError: a value is out of range or of a wrong type; names it as the caller does.
    """
    if isinstance(max_workers, System):
        raise OptionTypeError("max_workers must be a number; give a System by its name: system=...", "max_workers")
    options: dict[str, Any] = dict(keys)
    if max_workers is not None:
        if type(max_workers) is int and max_workers <= 0:
            raise OptionError("max_workers must be greater than 0", "max_workers")
        options["size"] = max_workers
    if max_tasks_per_child is not None:
        options["max_batches"] = max_tasks_per_child
    if mp_context is not None and mp_context.get_start_method() == "fork":
        raise OptionError(
            "mp_context cannot be one that forks: workers are new interpreters and inherit nothing; leave it out, and "
            "prepare by an initializer what the functions need",
            "mp_context",
        )
    try:
        return PoolSpec(**options)
    except OptionError as error:
        names = {"size": "max_workers", "max_batches": "max_tasks_per_child"}
        if error.option in names:
            name = names[error.option]
            error.args = (str(error).replace(error.option, name, 1),)
            error.option = name
        raise


def started_by(
    initializer: Callable[..., object] | None, initargs: Sequence[object], codec: Codec
) -> Mapping[str, object]:
    """Return the keys of a pool that have each worker call the initializer.

    Raises:
        OptionTypeError, UnsendableError: workers cannot call it so.
    """
    if initializer is None:
        return {}
    if not callable(initializer):
        raise OptionTypeError(f"initializer must be a function, not {shown(initializer)}", "initializer")
    name, request_of = prepare(initializer, codec)
    request = request_of([initargs], {})
    try:
        encode(request)
    except EncodeError as error:
        raise UnsendableError(f"an argument of the initializer {name} cannot be sent to a worker: {error}") from error
    return {"adapter": _INITIALIZER, "init": {"request": request}}
