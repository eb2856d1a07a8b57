"""How deep values may be nested that the calling thread encodes and decodes: as deep as its C stack has room for.

msgpack recurses in C, where nothing checks: past the end of the stack is a segmentation fault. A thread may be given
32 KiB; it has 128 KiB on musl, 512 on macOS, 8 MiB on glibc.
"""

from __future__ import annotations

import sys
from _thread import _local  # threading.local, without loading threading
from itertools import chain

from .extension_codes import MAX_NESTING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

# Measured with msgpack 1.2 on x86-64 and rounded up.
_RESERVE: Final = 24 * 1024  # for the caller
_PLAIN: Final = 512  # a list or map that is packed
_EXTENSION: Final = 2048  # an extension that is packed, or unpacked on the heap
_PACKED: Final = 511 * _PLAIN  # what one call of a packer can take: msgpack bounds its lists and maps to 511
_LARGE: Final = 512 * 1024
_RECURSIVE: Final = 4 * 1024 * 1024  # CPython 3.12 lets C recurse 10,000 times
_MOST_UNCHECKED: Final = 8

_UNKNOWN: Final = 128 * 1024
"""What is reckoned with where the system does not tell the size."""

# pthread_attr_t takes 56 bytes on x86-64 and 64 on arm64, with glibc and musl.
_ATTRIBUTES: Final = 256


class Room(_local):
    """The calling thread's, measured when it first asks."""

    def __init__(self) -> None:
        size = self.size = c_stack_size() or _UNKNOWN
        """Bytes of the C stack."""
        self.large = size >= _LARGE
        """Whether there is room for decoding on the stack; else it is done on the heap, at a quarter of the speed."""
        self.recursive = size >= _RECURSIVE
        """Whether there is room for a decoder in C that recurses as deep as CPython lets it."""
        self.extensions = max(1, min(MAX_NESTING, (size - _RESERVE) // _EXTENSION))
        """Extensions inside one another."""
        self.unchecked = max(0, min(_MOST_UNCHECKED, (size - _RESERVE) // (_PACKED + _EXTENSION) - 1))
        """Packers inside one another, one for each extension, that fit in whatever they pack."""

    def lacks(self, value: object) -> bool:
        """Return whether ``value`` is nested too deep for what `unchecked` packers leave of the stack."""
        left = self.size - _RESERVE - self.unchecked * (_PACKED + _EXTENSION)
        ways: list[Iterator[Any]] = [iter((value,))]
        costs = [0]
        while ways:
            for child in ways[-1]:
                kind = type(child)
                if kind is list or kind is dict:
                    cost = _PLAIN
                elif kind is tuple or kind is set or kind is frozenset:
                    cost = _EXTENSION
                else:
                    continue
                left -= cost
                if left < 0:
                    return True
                costs.append(cost)
                ways.append(chain(child, child.values()) if kind is dict else iter(child))
                break
            else:
                ways.pop()
                left += costs.pop()
        return False


def c_stack_size() -> int:
    """Return the size in bytes of the calling thread's C stack; 0 where the system does not say.

    `threading.stack_size` says what the next thread gets, not what this one has.
    """
    try:
        import ctypes

        libc: Any = ctypes.CDLL(None)
        libc.pthread_self.restype = ctypes.c_void_p
        me = ctypes.c_void_p(libc.pthread_self())
        if sys.platform == "darwin":
            libc.pthread_get_stacksize_np.restype = ctypes.c_size_t
            return int(libc.pthread_get_stacksize_np(me))
        attributes = ctypes.create_string_buffer(_ATTRIBUTES)
        if libc.pthread_getattr_np(me, attributes):
            return 0
        size = ctypes.c_size_t()
        failed = libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
        libc.pthread_attr_destroy(attributes)
        return 0 if failed else size.value
    except (ImportError, OSError, AttributeError):
        return 0


room: Final = Room()
