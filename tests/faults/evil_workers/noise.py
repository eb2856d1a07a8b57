"""Writes much, and to where it should not."""

from __future__ import annotations

import ctypes
import os
import sys

from slither_actors.wire.header import VERSION

CHUNK = 1 << 16


def _flood(fd, unit, size):
    data = unit * (CHUNK // len(unit))
    for _ in range(size // len(data)):
        rest = data
        while rest:
            rest = rest[os.write(fd, rest) :]


def lines(sizes):
    _flood(2, b"x" * 99 + b"\n", sizes[0])
    return sizes


def blank_lines(sizes):
    _flood(2, b"\n", sizes[0])
    return sizes


def one_line(sizes):
    _flood(2, b"x", sizes[0])
    return sizes


def binary(sizes):
    _flood(2, bytes(range(256)), sizes[0])
    return sizes


def on_descriptor_1(sizes):
    _flood(1, b"SA" + bytes([VERSION, 7]), sizes[0])
    return sizes


def frames_on_stdout(payloads):
    """What looks like frames, printed in every way there is; none of it is on the pipe of the protocol."""
    libc = ctypes.CDLL(None)
    for payload in payloads:
        print(payload)
        sys.stdout.write(payload)
        sys.__stdout__.write(payload)
        sys.stdout.flush()
        os.write(1, payload.encode())
        libc.printf(b"%s\n", payload.encode())
        libc.fflush(None)
        os.system("echo SA from a child")
    return payloads


def closes_the_standard_streams(payloads):
    for fd in (0, 1, 2):
        os.close(fd)
    return payloads


def closes_sys_stdout(payloads):
    sys.stdout.close()
    sys.stderr.close()
    return payloads


def prints_and_dies(payloads):
    _flood(2, b"x" * 99 + b"\n", payloads[0])
    os.write(2, b"the last words\n")
    os._exit(3)


def lines_or_not(payloads):
    """Tries to print, whatever streams are left."""
    for fd in (1, 2):
        try:
            os.write(fd, b"still there\n")
        except OSError:
            pass
    try:
        print("still there")
    except (OSError, ValueError):
        pass
    return payloads
