"""Supervision trees from YAML, and what may be added to their format.

Names are imported on first use (PEP 562), so that a program without files does not load YAML and JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisors.config.child_kinds import Kind, Kinds
    from supervisors.config.cursor import Cursor, Findings
    from supervisors.config.errors import ConfigError
    from supervisors.config.formats import Format
    from supervisors.config.tree_config import KINDS, TREE, SupervisorSpec, load

__all__ = ["KINDS", "TREE", "ConfigError", "Cursor", "Findings", "Format", "Kind", "Kinds", "SupervisorSpec", "load"]

_ELSEWHERE = {
    "ConfigError": "errors",
    "Cursor": "cursor",
    "Findings": "cursor",
    "Format": "formats",
    "KINDS": "tree_config",
    "Kind": "child_kinds",
    "Kinds": "child_kinds",
    "SupervisorSpec": "tree_config",
    "TREE": "tree_config",
    "load": "tree_config",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    globals()[name] = value  # the next use finds it without coming here
    return value
