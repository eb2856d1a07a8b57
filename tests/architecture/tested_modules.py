"""Modules that no test imports."""

from __future__ import annotations

import ast
import importlib

from .circles import PACKAGES
from .imports import files_of, modules_of

# Programs: tests start them as processes, and import only what they call. Facades of a folder have nothing to test.
PROGRAMS = {"slither_actors.__main__", "slither_actors.cli.__main__", "slither_actors.worker.__main__"}

# Modules whose test is missing. A test fails if one is listed that has one.
KNOWN: set[str] = {
    "slither_actors.wire.refusals",
    "slither_actors.wire.hash_limits",
    "slither_actors.cli.config_command",
    "slither_actors.cli.demo_command",
    "slither_actors.cli.display",
    "slither_actors.cli.files",
    "slither_actors.cli.formats",
    "slither_actors.cli.logs",
    "slither_actors.cli.map_command",
    "slither_actors.cli.order",
    "slither_actors.cli.signals",
    "slither_actors.demos.killer",
    "slither_actors.demos.survey",
    "slither_actors.executors.names",
    "slither_actors.pools.events",
    "slither_actors.pools.processes.guardian",
    "slither_actors.pools.worker.head_clock",
    "slither_actors.pools.worker.stack_capture",
    "slither_actors.pools.worker_errors",
    "slither_actors.runs.flow.pacing",
    "slither_actors.runs.input.memory_input",
    "slither_actors.runs.input.run_thread_actor",
    "slither_actors.runs.input.threaded_input",
    "slither_actors.runs.ledger",
    "slither_actors.runs.output.async_stream",
    "slither_actors.runs.output.blocking_driver",
    "slither_actors.runs.roles",
    "slither_actors.runs.routing",
    "slither_actors.runs.run_failure",
    "slither_actors.system.signals",
    "slither_actors.system.statistics",
    "slither_actors.system.supervision",
    "slither_actors.validation.callbacks",
    "slither_actors.wire.c_stack",
    "slither_actors.wire.decoders",
    "slither_actors.wire.encode_errors",
    "slither_actors.wire.handlers",
    "slither_actors.wire.log_lines",
    "slither_actors.wire.msgpack_settings",
    "slither_actors.worker.execution",
    "slither_actors.worker.hints",
    "slither_actors.worker.log_records",
    "slither_actors.worker.loop",
    "slither_actors.worker.stacks",
    "supervisors.__main__",
    "supervisors.actors.events",
    "supervisors.config.commands",
    "supervisors.config.drawing",
    "supervisors.config.schema",
    "supervisors.config.source",
    "supervisors.formats",
    "supervisors.kinds",
    "supervisors.runtime.mailbox",
}


def untested() -> set[str]:
    """Return the modules with code that no file below `tests` imports, by their name or for a name of theirs."""
    imported: set[str] = set()
    ours = {module for package in PACKAGES for module in modules_of(package)}
    for file in files_of("tests"):
        if "architecture" in file.parts:  # names modules without a test of what they do
            continue
        for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                if node.module in ours:
                    imported |= {_where_defined(node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                imported.add(node.value)  # importlib.import_module, or `python -m`
    with_code = {
        module
        for package in PACKAGES
        for module, file in zip(modules_of(package), files_of(package), strict=True)
        if len(ast.parse(file.read_bytes()).body) > 1
    }
    return with_code - imported - PROGRAMS


def _where_defined(module: str, name: str) -> str:
    """Return the module that defines what another one offers."""
    value = getattr(importlib.import_module(module), name, None)
    return str(getattr(value, "__module__", module))
