"""Needs more memory to be imported than it will get."""

TABLE = bytearray(1 << 30)
