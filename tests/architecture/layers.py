"""The layers of the two packages."""

from __future__ import annotations

from collections.abc import Iterator

from .imports import Import, imports_of, modules_of

# From the top down. A part (a module, or a folder without the parts that have a line of their own) may import itself
# and parts on lower lines only; imports for type checkers and imports within functions count, too.
LAYERS: dict[str, list[str]] = {
    "slither_actors": [
        "__main__",
        "cli",
        "demos",
        "default_dispatch futures",
        "system.system",
        "dispatch system.config system.signals system.statistics",
        "dynamic_batcher.batcher",
        "prepared_call",
        "dynamic_batcher.loop_home dynamic_batcher.thread_home",
        "dynamic_batcher.home",
        "dynamic_batcher.deadlines",
        "dynamic_batcher",
        "requests.desk requests.memo",
        "requests.requester sources",
        "requests.lanes",
        "requests.reply_to requests.futures requests.reading requests.deadline_lane",
        "requests",
        "system.health system.registry system.supervision",
        "runs.chunks.opening",
        "run_in_thread runs.opener system.patience runs.output.gather",
        "runs.chunks",
        "runs.collector",
        "runs.output",
        "runs.input",
        "runs.run_failure",
        "runs.output.asyncio_inbox runs.output.unpack",
        "runs.output.reply_decoder runs.output.unreadable",
        "runs.routing runs.stragglers",
        "runs.places",
        "runs.run",
        "runs.batch_book runs.inline_pool runs.roles",
        "runs.ledger runs.live_runs runs.messages runs.statistics",
        "runs.batch runs.error_policy runs.flow.byte_budget runs.flow.credit runs.flow.ordering_window",
        "runs.flow",
        "pools.supervision",
        "pools.bounded_pool",
        "pools.worker.concurrent_executor",
        "pools.pool pools.hosts.local pools.worker.executor",
        "pools.handle pools.assigner pools.memory_rest",
        "pools.messages pools.events",
        "pools.worker",
        "pools.assignment pools.processes",
        "pools.hosts pools.spec",
        "pools.processes.processors",
        "pools",
        "option_defaults option_types",
        "option_parsing",
        "chunk_options run_options",
        "executors strategies policies",
        "context telemetry",
        "validation",
        "errors",
        "item loops wording",
        "worker",
        "wire",
    ],
    "supervisors": [
        "__main__",
        "config.commands",
        "kinds formats",
        "config.tree_config",
        "config.formats",
        "config",
        "supervision",
        "actors",
        "testing",
        "runtime.scheduler",
        "actors.registry",
        "actors.lifecycle actors.via",
        "actors.calls actors.ref",
        "actors.futures",
        "runtime",
        "errors",
        "exits",
        "wording",
        "runtime.interrupts",
    ],
}

# Packages whose `__init__` offers the names of modules below it: it is above all of them.
FACADES = {"slither_actors", "supervisors", "supervisors.config"}

# Imports of a higher layer that are still there, to be removed. A test fails if one is listed that is not needed.
KNOWN_UPWARD: set[tuple[str, str]] = set()


def place_of(package: str, module: str) -> tuple[int, str] | None:
    """Return the line (0 is the top) and the name of the part that a module belongs to, or None."""
    name = module.removeprefix(f"{package}.")
    found = [
        (number, part)
        for number, line in enumerate(LAYERS[package])
        for part in line.split()
        if name == part or name.startswith(f"{part}.")
    ]
    return max(found, key=lambda place: len(place[1]), default=None)


def unplaced() -> list[str]:
    """Return the modules that belong to no layer; a package's own `__init__` needs none."""
    return [
        module
        for package in LAYERS
        for module in modules_of(package)
        if place_of(package, module) is None and not any(m.startswith(f"{module}.") for m in modules_of(package))
    ]


def without_modules() -> list[str]:
    """Return the parts in the table that have no module."""
    return [
        f"{package}.{part}"
        for package, lines in LAYERS.items()
        for line in lines
        for part in line.split()
        if not any(f"{module}.".startswith(f"{package}.{part}.") for module in modules_of(package))
    ]


def upward() -> Iterator[Import]:
    """Yield the imports of a module on the same or a higher layer that belongs to another part."""
    for package in LAYERS:
        modules = set(modules_of(package))
        for found in imports_of(package):
            if found.imported not in modules or {found.importer, found.imported} & FACADES:
                continue
            above, below = place_of(package, found.importer), place_of(package, found.imported)
            if above and below and above != below and below[0] <= above[0]:
                yield found
