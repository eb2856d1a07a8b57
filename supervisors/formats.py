"""Formats of files: the documented path of `supervisors.config.formats`."""

from __future__ import annotations

from supervisors.config.formats import GROUP, Format, examine, installed, read

__all__ = ["GROUP", "Format", "examine", "installed", "read"]
