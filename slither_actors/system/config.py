"""A service in one YAML file: pools, the defaults of runs, and actors of its own in a tree beside the pools.

The file's paths (`path`, and a `python` that has a slash in it) count from the file's folder, wherever the service is
started from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, cast

from slither_actors.errors import OptionError
from slither_actors.executors.base import AFFINITIES
from slither_actors.option_types import RunKwargs
from slither_actors.policies import MAX_ATTEMPTS, Retry
from slither_actors.pools.spec import MAX_BYTES, MAX_RESTARTS, MAX_SIZE, PoolSpec, variable_fault
from slither_actors.run_options import ORDERINGS
from slither_actors.strategies.fixed import MAX_BATCH
from supervisors import Backoff, ChildSpec
from supervisors.config.child_kinds import Kinds
from supervisors.config.cursor import Cursor, Findings
from supervisors.config.drawing import Outline, options
from supervisors.config.formats import Format, read
from supervisors.config.import_paths import DOTTED
from supervisors.config.schema import BACKOFF, Schema, children, document, mapping, or_null, seconds
from supervisors.config.tree_config import KINDS, check_backoff, check_classes, outline_of
from supervisors.wording import did_you_mean

__all__ = ["SYSTEM", "SystemConfig", "load", "system_format"]

_MOST_IN_FLIGHT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemConfig:
    """What a file says, checked; nothing runs.

    Args:
        pools: by name, in the order of the file; none: the System's default pool.
        dispatch: defaults for the options of runs, as keyword arguments of `Dispatch.run`.
        children: actors and supervisors that run beside the pools, in start order.
        name: of the System.
    """

    pools: Mapping[str, PoolSpec] = field(default_factory=dict)
    dispatch: RunKwargs = field(default_factory=RunKwargs)
    children: tuple[ChildSpec, ...] = ()
    name: str = "slither"


def load(path: str | os.PathLike[str], kinds: Kinds | None = None) -> SystemConfig:
    """Read a file that describes a System.

    The classes it names are imported here, in the caller's thread; `sys.path` must have them. Adapters are imported by
    the workers alone.

    Args:
        path: of the file.
        kinds: of children that its tree may have; by default those of `supervisors.config.tree_config.KINDS`.

    Raises:
        supervisors.ConfigError: anything is wrong with it, and all of that at once.
    """
    known = KINDS if kinds is None else kinds
    findings = read(path, SYSTEM if kinds is None else system_format(kinds))
    plain = check_classes(findings)
    folder = findings.document.folder or os.getcwd()
    pools = {name: _pool(name, given, folder, findings) for name, given in plain.get("pools", {}).items()}
    findings.raise_if_any()
    defaults = dict(plain.get("dispatch", {}))
    if "on_error" in defaults:
        defaults["on_error"] = _policy(defaults["on_error"])
    return SystemConfig(
        pools={name: spec for name, spec in pools.items() if spec is not None},
        dispatch=cast(RunKwargs, defaults),  # the schema and the checks above hold what the type says
        children=known.children(plain.get("tree", ())),
        name=plain.get("system", {}).get("name", "slither"),
    )


# -- pools

_TEXTS: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}


def _limit(description: str) -> Schema:
    return {
        "description": description,
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": MAX_BYTES,
        "default": None,
    }


_POOL: dict[str, Schema] = {
    "size": {
        "description": "Number of workers; unless given one for each processor this process may use.",
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_SIZE,
    },
    "path": {
        "description": "Folders put first on the workers' `sys.path`; they count from this file's folder.",
        **_TEXTS,
    },
    "python": {
        "description": "Another interpreter for the workers; it needs msgpack. A name is looked for on PATH; "
        "with a slash in it it counts from this file's folder.",
        "type": "string",
        "minLength": 1,
    },
    "env": {
        "description": "Variables added to the workers' environment.",
        "type": "object",
        "additionalProperties": {"type": "string"},
    },
    "preload": {"description": "Modules that each worker imports before it is ready.", **_TEXTS},
    "adapter": {
        "description": "Where the workers' adapter is, as `package.module:Class`.",
        "type": "string",
        "pattern": DOTTED,
        "errorMessage": "must be of the form package.module:Class",
    },
    "init": {"description": "Keyword arguments for the adapter's `init`.", "type": "object"},
    "start_timeout": seconds("Seconds a worker may take to be ready, and a function to be imported."),
    "shutdown": seconds("Seconds a worker gets to end by itself before it is killed.", zero=True),
    "timeout": or_null(
        seconds("Seconds a batch, or with `each` an item, may take unless its run says; null: no limit.")
    ),
    "batch_timeout": {
        **or_null(seconds("Seconds a batch may take in any case unless its run says; null: no limit.")),
        "default": None,
    },
    "max_frame": {
        "description": "Bytes that one frame may have, on both sides of the pipe.",
        "type": "integer",
        "minimum": 1024,
        "maximum": MAX_BYTES,
    },
    "shared_memory": {
        "description": "Whether large bytes go through memory shared with the workers, where "
        "the system has such, and not through the pipes.",
        "type": "boolean",
    },
    "max_batches": _limit("Batches after which a worker is replaced by a new one; null: never."),
    "max_rss": _limit(
        "Bytes of resident memory; a worker that has more after a batch is replaced before the next one; "
        "null: no limit."
    ),
    "memory_limit": _limit(
        "Bytes of address space that a worker may have (RLIMIT_AS): what goes beyond is a "
        "MemoryError in its batch; null: no limit."
    ),
    "affinity": {"description": "What a session id means to the choice of worker.", "enum": list(AFFINITIES)},
    "max_restarts": {
        "description": "What the pool survives within `max_seconds`, over all workers: failed starts, and deaths with "
        "no item completed since the last one. auto: the larger of 20 and 4 for each worker; null: any number.",
        "anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_RESTARTS}, {"type": "null"}, {"enum": ["auto"]}],
        "errorMessage": f"must be a whole number from 0 to {MAX_RESTARTS}, auto or null",
    },
    "max_seconds": seconds("The window of `max_restarts`."),
    "restart_backoff": BACKOFF,
}


def _pool_schema() -> Schema:
    """What PoolSpec has fields for, with its defaults."""
    keys: dict[str, Schema] = {}
    for each in fields(PoolSpec):
        schema = _POOL[each.name]
        if "default" not in schema and each.default is not MISSING and isinstance(each.default, (str, int, float)):
            schema = {**schema, "default": each.default}
        keys[each.name] = schema
    return mapping("A pool of worker processes.", keys)


def _check_pool(pool: Cursor, folder: str) -> None:
    folders = _listed(pool.get("path"))
    own = tuple(os.path.join(folder, each) for each in folders if isinstance(each, str))
    for index, each in enumerate(folders):
        if isinstance(each, str) and each and (why := pool.findings.no_folder(os.path.join(folder, each))) is not None:
            pool.refuse(why, "path", index)
    if "init" in pool and "adapter" not in pool:
        pool.refuse("init is for an adapter, and this pool has none; give it an adapter, or leave init out", "init")
    env = pool.get("env")
    for key, value in env.items() if isinstance(env, dict) else ():
        if isinstance(key, str) and isinstance(value, str) and (fault := variable_fault(key, value)):
            pool.refuse(fault, "env", key)
    if (backoff := pool.section("restart_backoff")) is not None:
        check_backoff(backoff)
    python = pool.text("python")
    if python is not None:
        if python and (why := pool.findings.no_program(_program(python, folder), python)) is not None:
            pool.refuse(why, "python")
        return  # what another interpreter can import is not to be seen from here
    adapter = pool.text("adapter")
    if adapter is not None and ":" in adapter and (why := pool.findings.absent(adapter, own)) is not None:
        pool.refuse(why, "adapter")
    for index, module in enumerate(_listed(pool.get("preload"))):
        if isinstance(module, str) and module and (why := pool.findings.absent(module, own)) is not None:
            pool.refuse(why, "preload", index)


def _listed(given: Any) -> list[Any]:
    """A list of the file; of what is none, which has been complained of already, nothing."""
    return given if isinstance(given, list) else []


def _program(python: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, python)) if os.sep in python else python


def _pool(name: str, given: Mapping[str, Any], folder: str, findings: Findings) -> PoolSpec | None:
    arguments = dict(given)
    if "path" in given:
        arguments["path"] = [os.path.normpath(os.path.join(folder, each)) for each in given["path"]]
    if "python" in given:
        program = _program(given["python"], folder)
        arguments["python"] = shutil.which(program) or program
    if "restart_backoff" in given:
        arguments["restart_backoff"] = Backoff(**given["restart_backoff"])
    try:
        return PoolSpec(**arguments)
    except OptionError as error:  # what PoolSpec knows and the schema does not
        node = findings.document.root.at(("pools", name))
        findings.add(node.place, ("pools", name), str(error))
        return None


# -- defaults of runs

_RETRY = mapping(
    "A batch that failed is executed again, on another worker if one is ready.",
    {
        "max_attempts": {
            "description": "Executions in all.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_ATTEMPTS,
            "default": 3,
        },
        "backoff": {**seconds("Seconds before the second attempt; doubled before each further one.", 0.1, zero=True)},
        "max_backoff": seconds("Seconds that no pause exceeds.", 30.0, zero=True),
        "jitter": {
            "description": "Part of each pause that is left to chance.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.5,
        },
        "split": {
            "description": "Halve a failing batch, to find the one bad item.",
            "type": "boolean",
            "default": False,
        },
        "then": {"description": "What follows the last attempt.", "enum": ["halt", "skip"], "default": "halt"},
    },
)

_DISPATCH: dict[str, Schema] = {
    "pool": {
        "description": 'Name of the pool; unless given "default", or the only one.',
        "type": "string",
        "minLength": 1,
    },
    "batch_size": {
        "description": "Most items in a batch; unless given the strategy's own, 64 for FixedBatch.",
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_BATCH,
    },
    "max_in_flight": {
        "description": "Workers that a run may occupy at a time; unless given as many as its pool has.",
        "type": "integer",
        "minimum": 1,
        "maximum": _MOST_IN_FLIGHT,
    },
    "prefetch": {
        "description": "Batches that may be pulled beyond those; unless given 3 for each of `max_in_flight` "
        "(if that is not given either 32 in all for pools of less than 8), and of a list, "
        "whose items are in memory anyway, more while batches are short.",
        "type": "integer",
        "minimum": 0,
        "maximum": 3 * _MOST_IN_FLIGHT,
    },
    "max_in_flight_bytes": {
        "description": "Nothing new is pulled or encoded while requests and held replies exceed "
        "it; null: no such limit.",
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
    },
    "ordering": {
        "description": "preserve: results in the order of the input. as_completed: as they come.",
        "enum": list(ORDERINGS),
        "default": "preserve",
    },
    "on_error": {
        "description": "What becomes of a batch that failed: halt, skip, retry, or `retry:` with its options.",
        "type": ["string", "object"],
        "allOf": [
            {"if": {"type": "string"}, "then": {"enum": ["halt", "skip", "retry"]}},
            {"if": {"type": "object"}, "then": mapping("A policy with options.", {"retry": _RETRY}, ["retry"])},
        ],
        "default": "halt",
    },
    "timeout": or_null(
        seconds("Seconds a batch, or with `each` an item, may take on its worker; null: no limit.", 30.0)
    ),
    "batch_timeout": {**or_null(seconds("Seconds a batch may take in any case; null: no limit.")), "default": None},
    "linger": or_null(seconds("Seconds after which a part-filled batch is sent; null: when it is full.", zero=True)),
}


def _policy(given: Any) -> Any:
    if given == "retry":
        return Retry()
    return Retry(**given["retry"]) if isinstance(given, dict) else given


def _check_dispatch(dispatch: Cursor, pools: list[str]) -> None:
    pool = dispatch.text("pool")
    known = pools or ["default"]
    if pool and pool not in known:
        dispatch.refuse(
            f"there is no pool {pool}{did_you_mean(pool, known, quote=str) or ', known: ' + ', '.join(known)}", "pool"
        )
    policy = dispatch.section("on_error")
    retry = policy.section("retry") if policy is not None else None
    if retry is not None:
        pause, most = retry.get("backoff", 0.1), retry.get("max_backoff", 30.0)
        if isinstance(pause, (int, float)) and isinstance(most, (int, float)) and pause > most:
            retry.refuse(f"backoff ({pause:g} s) exceeds max_backoff ({most:g} s); raise max_backoff, too")


# -- the file


def system_format(kinds: Kinds) -> Format:
    """The format of a file that describes a System, with children of these kinds in its tree."""
    body = mapping(
        "A System: pools of workers, the defaults of runs, and actors beside the pools.",
        {
            "system": mapping(
                "The System itself.",
                {
                    "name": {
                        "description": "For thread names and logs.",
                        "type": "string",
                        "minLength": 1,
                        "default": "slither",
                    }
                },
            ),
            "pools": {
                "description": "Pools of worker processes, by name; without any one pool `default`.",
                "type": "object",
                "propertyNames": {"minLength": 1},
                "additionalProperties": _pool_schema(),
            },
            "dispatch": mapping("Defaults for the options of runs; what a call says goes before.", _DISPATCH),
            "tree": children("Actors and supervisors that run beside the pools, in start order."),
        },
    )

    def check(root: Cursor) -> None:
        folder = root.findings.document.folder or os.getcwd()
        pools = root.section("pools")
        for _, pool in root.sections("pools"):
            _check_pool(pool, folder)
        dispatch = root.section("dispatch")
        if dispatch is not None and (pools is None or not pools.refused):
            _check_dispatch(dispatch, [] if pools is None else pools.keys())
        kinds.check_children(root, "tree", "never")

    def outline(plain: Mapping[str, Any]) -> Outline:
        keys = [key for key in _POOL if key not in ("env", "init", "restart_backoff")]
        pools = plain.get("pools") or {"default": {}}
        drawn = tuple(Outline(name, "Pool", options(given, keys)) for name, given in pools.items())
        own = tuple(outline_of(each, kinds) for each in plain.get("tree", ()))
        name = plain.get("system", {}).get("name", "slither")
        parts = [Outline("pools", "Supervisor", "", drawn)]
        if own:
            parts.append(Outline("tree", "Supervisor", "", own))
        return Outline(name, "System", "", tuple(parts))

    schema = document("slither-actors configuration", body, kinds, note="pools stand under `pools`, at the top")
    return Format("System", schema, check, outline)


SYSTEM = system_format(KINDS)
