"""Runs in the workers of the pool "reading"."""

from __future__ import annotations


def clean(texts: list[str]) -> list[str]:
    """The texts in small letters, with single spaces."""
    return [" ".join(text.lower().split()) for text in texts]
