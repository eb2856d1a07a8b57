"""Kinds of children: the documented path of `supervisors.config.child_kinds`."""

from __future__ import annotations

from supervisors.config.child_kinds import Kind, Kinds, Label

__all__ = ["Kind", "Kinds", "Label"]
