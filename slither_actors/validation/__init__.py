"""Checks of what callers give."""
