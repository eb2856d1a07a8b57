"""Supervision trees from YAML: the kinds `actor` and `supervisor`, and `load` for a file that is one tree.

Everything is checked before anything is made: syntax, keys and values, then the rules that a schema cannot express,
then that every class can be imported. User code runs in the caller's thread while it is imported, and in threads of its
own afterwards; only light actors run on the scheduler's.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pykka

from supervisors.actors.deferred_init import with_deferred_init
from supervisors.actors.light_actor import LightActor, LightRef
from supervisors.config.child_kinds import Kind, Kinds, Label
from supervisors.config.cursor import Cursor, Findings
from supervisors.config.drawing import Outline, options
from supervisors.config.errors import ConfigError
from supervisors.config.formats import Format, read
from supervisors.config.import_paths import resolve
from supervisors.config.schema import ACTOR_KEYS, SUPERVISOR_KEYS, document, mapping
from supervisors.runtime.scheduler import Scheduler
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff
from supervisors.supervision.restart_policy import AutoShutdown, Strategy
from supervisors.supervision.supervisor import Supervisor

__all__ = [
    "ACTOR",
    "KINDS",
    "SUPERVISOR",
    "TREE",
    "ConfigError",
    "SupervisorSpec",
    "check_backoff",
    "check_classes",
    "load",
    "outline_of",
    "tree_format",
]

# The keys of a child that are arguments of its ChildSpec under the same names.
_SPEC_KEYS = ("restart", "shutdown", "significant", "register", "start_timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor as a file describes it; the arguments of `Supervisor`, checked, and nothing running.

    Args:
        name: for people.
        children: their specs, in start order.
        strategy, max_restarts, max_seconds, auto_shutdown, restart_backoff: as of `Supervisor`.
    """

    name: str = "supervisor"
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = "one_for_one"
    max_restarts: int | None = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    restart_backoff: Backoff | None = None

    def start(self, scheduler: Scheduler | None = None) -> LightRef[Supervisor]:
        """Start the tree. It begins at once; `wait_started` of the reference waits until all children have started.

        Args:
            scheduler: where; None on a scheduler's own thread: that one.
        """
        return Supervisor.start(
            self.children,
            strategy=self.strategy,
            max_restarts=self.max_restarts,
            max_seconds=self.max_seconds,
            auto_shutdown=self.auto_shutdown,
            restart_backoff=self.restart_backoff,
            name=self.name,
            scheduler=scheduler,
        )

    def child_spec(self, **changes: Any) -> ChildSpec:
        """Return the spec of this supervisor as a child of another one.

        Args:
            changes: arguments of `ChildSpec` other than `start`; by default `id` is its name.
        """
        return ChildSpec(**{"id": self.name, "type": "supervisor", "start": self.start, **changes})


def load(path: str | os.PathLike[str], kinds: Kinds | None = None) -> SupervisorSpec:
    """Read a file that describes one supervisor with its children.

    The classes it names are imported here, in the caller's thread; `sys.path` must have them. Not for a scheduler's
    thread.

    Args:
        path: of the file.
        kinds: of children that it may use; by default `KINDS`.

    Raises:
        ConfigError: anything is wrong with it, and all of that at once.
    """
    known = KINDS if kinds is None else kinds
    findings = read(path, TREE if kinds is None else tree_format(kinds))
    plain = check_classes(findings)
    return _supervisor_spec(plain.get("name") or "supervisor", plain, known)


def check_classes(findings: Findings) -> dict[str, Any]:
    """Import every class that a checked document names, and return its plain content.

    Raises:
        ConfigError: some classes cannot be imported, or are no actors.
    """
    findings.raise_if_any()
    todo = [findings.root]
    while todo:
        cursor = todo.pop()
        for key in ("children", "tree"):
            todo.extend(cursor.items(key))
        if cursor.text("kind") == "actor":
            dotted = cursor.text("class") or ""
            try:
                found = resolve(dotted)
            except (ImportError, AttributeError) as error:
                cursor.refuse(f"{dotted} cannot be imported: {error}", "class")
            else:
                if not (isinstance(found, type) and issubclass(found, (LightActor, pykka.ThreadingActor))):
                    cursor.refuse(
                        f"{dotted} is no actor; it must be a subclass of LightActor, DaemonActor or "
                        "pykka.ThreadingActor",
                        "class",
                    )
    findings.raise_if_any()
    plain: dict[str, Any] = findings.document.root.plain()
    return plain


# -- kinds


def _check_actor(cursor: Cursor, kinds: Kinds) -> None:
    dotted = cursor.text("class")
    if dotted is not None and ":" in dotted:
        why = cursor.findings.absent(dotted)
        if why is not None:
            cursor.refuse(why, "class")


def _build_actor(child: Mapping[str, Any], kinds: Kinds) -> ChildSpec:
    cls: Any = resolve(child["class"])
    if not issubclass(cls, LightActor):
        cls = with_deferred_init(cls)
    args, kwargs = child.get("args", []), child.get("kwargs", {})
    # A copy each time: what one incarnation does to its arguments is nothing to the next.
    return ChildSpec(start=lambda: cls.start(*copy.deepcopy(args), **copy.deepcopy(kwargs)), **_common(child))


def _label_actor(child: Mapping[str, Any]) -> Label:
    return child["class"].rpartition(":")[2], options(child, _SPEC_KEYS)


def check_backoff(cursor: Cursor) -> None:
    """Check that the values of a back-off fit each other.

    Args:
        cursor: the back-off.
    """
    usual = Backoff()
    base, most = cursor.get("base", usual.base), cursor.get("maximum", usual.maximum)
    if isinstance(base, (int, float)) and isinstance(most, (int, float)) and base > most:
        cursor.refuse(f"base ({base:g} s) exceeds maximum ({most:g} s), which no wait does; raise maximum, too")


def _check_supervisor(cursor: Cursor, kinds: Kinds) -> None:
    if (backoff := cursor.section("restart_backoff")) is not None:
        check_backoff(backoff)
    kinds.check_children(cursor, "children", cursor.get("auto_shutdown", "never"))


def _build_supervisor(child: Mapping[str, Any], kinds: Kinds) -> ChildSpec:
    return _supervisor_spec(child["id"], child, kinds).child_spec(**_common(child))


def _label_supervisor(child: Mapping[str, Any]) -> Label:
    return "Supervisor", options(
        child,
        ("strategy", "max_restarts", "max_seconds", "auto_shutdown", *_SPEC_KEYS),
    )


def _common(child: Mapping[str, Any]) -> dict[str, Any]:
    return {key: child[key] for key in ("id", *_SPEC_KEYS) if key in child}


def _supervisor_spec(name: str, plain: Mapping[str, Any], kinds: Kinds) -> SupervisorSpec:
    keys = ("strategy", "max_restarts", "max_seconds", "auto_shutdown")
    return SupervisorSpec(
        name=name,
        children=kinds.children(plain.get("children", ())),
        restart_backoff=Backoff(**plain["restart_backoff"]) if "restart_backoff" in plain else None,
        **{key: plain[key] for key in keys if key in plain},
    )


ACTOR = Kind(
    "actor",
    "An actor, given by its class.",
    ACTOR_KEYS,
    _build_actor,
    required=("class",),
    check=_check_actor,
    label=_label_actor,
)
SUPERVISOR = Kind(
    "supervisor",
    "A supervisor with children of its own.",
    SUPERVISOR_KEYS,
    _build_supervisor,
    required=("children",),
    check=_check_supervisor,
    label=_label_supervisor,
)
KINDS = Kinds([ACTOR, SUPERVISOR])

# -- the format of a bare tree


def outline_of(child: Mapping[str, Any], kinds: Kinds) -> Outline:
    """Return the drawing of a child and its descendants."""
    kind, details = kinds.label(child)
    below = tuple(outline_of(each, kinds) for each in child.get("children", ()))
    return Outline(child["id"], kind, details, below)


def tree_format(kinds: Kinds) -> Format:
    """Return the format of a file that describes one supervisor, with children of these kinds."""
    keys = {
        "name": {"description": "Its name, for logs and drawings.", "type": "string", "minLength": 1},
        **SUPERVISOR_KEYS,
    }
    body = mapping("A supervisor with its children.", keys, ["children"])

    def check(root: Cursor) -> None:
        if (backoff := root.section("restart_backoff")) is not None:
            check_backoff(backoff)
        kinds.check_children(root, "children", root.get("auto_shutdown", "never"))

    def outline(plain: Mapping[str, Any]) -> Outline:
        return outline_of({"kind": "supervisor", "id": plain.get("name", "supervisor"), **plain}, kinds)

    return Format("supervision tree", document("supervision tree", body, kinds), check, outline)


TREE = tree_format(KINDS)
