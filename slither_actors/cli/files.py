"""The files that ``map`` reads and writes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import contextlib

STDIN, STDOUT = 0, 1


class Files:
    """Descriptors for input, output and errors, open until the context that they were entered in is left.

    Args:
        input_name: a path; standard input if None.
        output_name: a path; standard output if None.
        errors_name: a path; None for no such file.
        context: closes what was opened here.

    Raises:
        OSError: one cannot be opened, or two are the same file.
    """

    def __init__(
        self, input_name: str | None, output_name: str | None, errors_name: str | None, context: contextlib.ExitStack
    ) -> None:
        self._context = context
        self._seen: set[tuple[int, int]] = set()
        self.input = STDIN if input_name is None else self._open(input_name, os.O_RDONLY)
        try:
            status = os.fstat(self.input)
        except OSError as error:  # the program was started without one
            raise OSError(error.errno, "is closed", "standard input") from None
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(0, "is a folder", input_name)
        self._note(status, input_name or "standard input")
        self.output = STDOUT if output_name is None else self._open_to_write(output_name)
        self.errors = None if errors_name is None else self._open_to_write(errors_name)

    def _open(self, name: str, flags: int) -> int:
        fd = os.open(name, flags | os.O_CLOEXEC, 0o666)
        self._context.callback(os.close, fd)
        return fd

    def _open_to_write(self, name: str) -> int:
        # Emptied only when it is known to be none of the others: `-o` with the input's name must not cost the input.
        fd = self._open(name, os.O_WRONLY | os.O_CREAT)
        status = os.fstat(fd)
        self._note(status, name)
        if stat.S_ISREG(status.st_mode):
            os.ftruncate(fd, 0)
        return fd

    def _note(self, status: os.stat_result, name: str) -> None:
        if not stat.S_ISREG(status.st_mode):  # /dev/null, terminals, pipes may be named as often as one likes
            return
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            raise OSError(0, "given twice; input, output and errors must be different files", name)
        self._seen.add(identity)
