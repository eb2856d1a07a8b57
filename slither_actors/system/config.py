"""A service in one YAML file: pools, the defaults of runs, and actors of its own in a tree beside the pools.

The file's paths (`path`, and a `python` with a slash in it) count from the file's folder, not from the current one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from slither_actors.errors import OptionError
from slither_actors.option_types import RunKwargs
from slither_actors.policies import Retry
from slither_actors.pools.spec import PoolSpec, variable_fault
from slither_actors.run_options import RunOptions
from slither_actors.strategies.base import BATCH_SIZE
from slither_actors.validation.option import mapping_schema, options_of
from supervisors import Backoff, ChildSpec
from supervisors.config.child_kinds import Kinds
from supervisors.config.cursor import Cursor, Findings
from supervisors.config.drawing import Outline, options
from supervisors.config.formats import Format, read
from supervisors.config.schema import Schema, children, document, mapping
from supervisors.config.tree_config import KINDS, check_backoff, check_classes, outline_of
from supervisors.wording import did_you_mean

__all__ = ["SYSTEM", "SystemConfig", "load", "system_format"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemConfig:
    """The checked content of a file; nothing runs.

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
        supervisors.ConfigError: the file has problems; it lists all of them.
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
        return  # the modules of another interpreter cannot be seen from here
    adapter = pool.text("adapter")
    if adapter is not None and ":" in adapter and (why := pool.findings.absent(adapter, own)) is not None:
        pool.refuse(why, "adapter")
    for index, module in enumerate(_listed(pool.get("preload"))):
        if isinstance(module, str) and module and (why := pool.findings.absent(module, own)) is not None:
            pool.refuse(why, "preload", index)


def _listed(given: object) -> list[Any]:
    """Return the value if it is a list, else [] (already reported)."""
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
        path = ("pools", name) if error.option is None else ("pools", name, error.option)
        findings.add(findings.document.root.at(path).place, path, str(error))
        return None


# -- defaults of runs


def _dispatch_schema() -> Schema:
    """Return the schema of the defaults of runs: the run's own options, and `batch_size`, which each strategy has."""
    schema = mapping_schema(RunOptions, "Defaults for the options of runs; what a call says goes before.")
    schema["properties"]["batch_size"] = BATCH_SIZE.schema()
    return schema


def _policy(given: str | Mapping[str, Any]) -> str | Retry:
    """Return the policy that a file's `on_error` says."""
    if given == "retry":
        return Retry()
    return given if isinstance(given, str) else Retry(**given["retry"])


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
        usual = Retry()
        pause, most = retry.get("backoff", usual.backoff), retry.get("max_backoff", usual.max_backoff)
        if isinstance(pause, (int, float)) and isinstance(most, (int, float)) and pause > most:
            retry.refuse(f"backoff ({pause:g} s) exceeds max_backoff ({most:g} s); raise max_backoff, too")


# -- the file


def system_format(kinds: Kinds) -> Format:
    """Return the format of a file that describes a System, with children of these kinds in its tree."""
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
                "additionalProperties": mapping_schema(PoolSpec, "A pool of worker processes."),
            },
            "dispatch": _dispatch_schema(),
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
        keys = [key for key in options_of(PoolSpec) if key not in ("env", "init", "restart_backoff")]
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
