"""What the sections of each kind of frame hold: records with their way to bytes and back.

=========  ==========  ================================================================================================
kind       direction   sections
=========  ==========  ================================================================================================
hello      to worker   body: map, see :class:`Hello`
ready      to host     body: map, see :class:`Ready`
load       to worker   body: map, see :class:`Load`
loaded     to host     none
call       to worker   side: ``[target, session or nil]``; body: list of payloads; count: how many
command    to worker   side: ``[name, session or nil]``; body: map with ``items``; count: how many items
reply      to host     count good results, in order, as list (call) or as ``items`` of a map (command) in the body;
                       side, only where items failed: their indexes as u32, then a list of failure maps
failure    to host     body: map, see :class:`Failure`; request id 0: the worker could not start;
                       side, only where the worker could not decode some items and has executed none: as of a reply;
                       count: of the others
cancel     to worker   none: the request id says which
cancelled  to host     none
stop       to worker   none
forget     to worker   body: session id
freed      to worker   body: pairs of u64, see :mod:`.shared_memory`: parts of its arena that it may use again; empty:
                       the System is idle, what is kept for large frames goes back to the kernel
stream     to worker   side: ``[target or name, session or nil, chunks, bytes]``, these as of :mod:`.chunk_window`;
                       body: the payload (of a command: map with ``items``); its answer is a reply or a failure, after
                       the chunks, or cancelled
chunk      to host     body: one of the values that the function yields
credit     to worker   count: so many more chunks have reached their reader
alone      to worker   none: the request id says which of those that follow is to be executed beside no other
retire     to host     body: why, as a text: the worker begins nothing that it was sent and not answered, and ends;
                       side, only where it executes several at a time: ids of requests that it will still answer
=========  ==========  ================================================================================================
"""

from __future__ import annotations

import struct

from .codec import decode, encode
from .extension_codes import DecodeError, EncodeError
from .frames import DEFAULT_MAX_FRAME, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from .header import Buffer, Frame

FAILURE_KINDS: Final = frozenset({"user", "load", "encode", "decode", "unexpected", "start"})
"""user: the function raised; load: it, or the command, is not there; encode: its results have no form on the wire;
decode: the request is no value; unexpected: it returned something else than results; start: the worker could not
get ready."""

MAX_MESSAGE: Final = 8 * 1024
"""Most bytes of an exception's message that travel."""
MAX_TRACEBACK: Final = 32 * 1024
"""Most bytes of a traceback that travel."""
MAX_TOLD: Final = 64 * 1024
"""Most bytes of what a worker tells of itself: a failure, or that it is ready. The host reads these on the one thread
that serves all its workers, so they must not keep it for long."""


def _fields(body: Buffer, what: str, most: int | None, **types: type | tuple[type, ...]) -> dict[str, Any]:
    """Decode the map in ``body``: the given keys, each of a given type.

    Args:
        body: of a frame.
        what: the name of its kind, for errors.
        most: bytes that the body may have; None: any number.
        **types: the keys, each with the types that its value may have.

    Raises:
        ProtocolError: reason ``body``: it is no such map.
    """
    if most is not None and len(body) > most:
        raise ProtocolError("body", f"the body of a {what} frame has {len(body)} bytes, more than {most}")
    try:
        fields = decode(body)
    except DecodeError as error:
        raise ProtocolError("body", f"the body of a {what} frame is no value: {error}") from error
    if type(fields) is not dict:
        raise ProtocolError("body", f"the body of a {what} frame is a {type(fields).__name__}, not a map")
    for key, kinds in types.items():
        value = fields.get(key, _fields)
        if type(value) not in (kinds if isinstance(kinds, tuple) else (kinds,)):  # exactly: True is no pid
            raise ProtocolError("body", f"the body of a {what} frame has no good {key!r}")
        if kinds is list and not all(type(each) is str for each in value):
            raise ProtocolError("body", f"{key!r} in the body of a {what} frame is no list of texts")
    return fields


class Record:
    """A value of named fields that cannot be changed; written out because ``dataclasses`` costs a worker 10 ms."""

    __slots__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def _set(self, *values: object) -> None:
        for name, value in zip(self.__slots__, values):  # noqa: B905 - strict= is newer than Python 3.9
            object.__setattr__(self, name, value)

    def _map(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def to_body(self) -> bytes:
        """Encode the body of the frame.

        Raises:
            EncodeError: a field (``Hello.init``) has no form on the wire.
        """
        return encode(self._map())

    def __eq__(self, other: object) -> bool:
        return self._map() == other._map() if isinstance(other, type(self)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self._map().values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._map().items())})"


class Hello(Record):
    """The first frame a worker gets: what it is to be.

    :ivar path: directories for ``sys.path``.
    :ivar keep_path: append the interpreter's own ``sys.path`` (else ``path`` replaces it).
    :ivar preload: modules to import before the worker is ready.
    :ivar adapter: ``"package.module:Class"``, or None: functions only.
    :ivar init: keyword arguments for ``Adapter.init``.
    :ivar host_pid: the host's process id.
    :ivar max_frame: most bytes a frame may have, in both directions.
    :ivar name: what the worker calls itself in its process title and messages.
    :ivar max_batches: batches after which it is to be replaced; None: never.
    :ivar max_rss: bytes of resident memory from which on it is to be replaced; None: never.
    :ivar memory_limit: bytes of address space that it may have; None: as many as it gets.
    :ivar index: its place in the pool, from 0.
    :ivar concurrency: batches that it is to execute at a time.
    """

    __slots__ = (  # noqa: RUF023
        "path",
        "keep_path",
        "preload",
        "adapter",
        "init",
        "host_pid",
        "max_frame",
        "name",
        "max_batches",
        "max_rss",
        "memory_limit",
        "index",
        "concurrency",
    )
    path: list[str]
    keep_path: bool
    preload: list[str]
    adapter: str | None
    init: dict[str, Any]
    host_pid: int
    max_frame: int
    name: str
    max_batches: int | None
    max_rss: int | None
    memory_limit: int | None
    index: int
    concurrency: int

    def __init__(
        self,
        path: Sequence[str] = (),
        keep_path: bool = True,
        preload: Sequence[str] = (),
        adapter: str | None = None,
        init: Mapping[str, Any] | None = None,
        host_pid: int = 0,
        max_frame: int = DEFAULT_MAX_FRAME,
        name: str = "worker",
        max_batches: int | None = None,
        max_rss: int | None = None,
        memory_limit: int | None = None,
        index: int = 0,
        concurrency: int = 1,
    ) -> None:
        self._set(
            list(path),
            keep_path,
            list(preload),
            adapter,
            dict(init or {}),
            host_pid,
            max_frame,
            name,
            max_batches,
            max_rss,
            memory_limit,
            index,
            concurrency,
        )

    @classmethod
    def from_body(cls, body: Buffer) -> Hello:
        """Decode a body.

        Raises:
            ProtocolError: reason ``body``.
        """
        fields = _fields(
            body,
            "hello",
            None,
            path=list,
            keep_path=bool,
            preload=list,
            adapter=(str, type(None)),
            init=dict,
            host_pid=int,
            max_frame=int,
            name=str,
            max_batches=(int, type(None)),
            max_rss=(int, type(None)),
            memory_limit=(int, type(None)),
            index=int,
            concurrency=int,
        )
        return cls(*(fields[name] for name in cls.__slots__))


class Ready(Record):
    """A worker has started: its process id, the versions of its Python and msgpack, the commands of its adapter."""

    __slots__ = ("pid", "python", "msgpack", "commands")  # noqa: RUF023
    pid: int
    python: str
    msgpack: str
    commands: list[str]

    def __init__(self, pid: int, python: str, msgpack: str, commands: Sequence[str] = ()) -> None:
        self._set(pid, python, msgpack, list(commands))

    @classmethod
    def from_body(cls, body: Buffer) -> Ready:
        """Decode a body.

        Raises:
            ProtocolError: reason ``body``.
        """
        fields = _fields(body, "ready", MAX_TOLD, pid=int, python=str, msgpack=str, commands=list)
        return cls(*(fields[name] for name in cls.__slots__))


class Load(Record):
    """Resolve a function and keep it under a number.

    :ivar target: the number; loading it again replaces it.
    :ivar module: dotted name.
    :ivar function: name in the module, dotted for attributes (``Class.method``).
    :ivar each: call it with one payload at a time.
    """

    __slots__ = ("target", "module", "function", "each")  # noqa: RUF023
    target: int
    module: str
    function: str
    each: bool

    def __init__(self, target: int, module: str, function: str, each: bool = False) -> None:
        self._set(target, module, function, each)

    @classmethod
    def from_body(cls, body: Buffer) -> Load:
        """Decode a body.

        Raises:
            ProtocolError: reason ``body``.
        """
        fields = _fields(body, "load", None, target=int, module=str, function=str, each=bool)
        return cls(*(fields[name] for name in cls.__slots__))


class Failure(Record):
    """What went wrong in a worker, as data.

    :ivar kind: one of :data:`FAILURE_KINDS`.
    :ivar type: qualified name of the exception's class.
    :ivar message: its text, at most 8 KiB.
    :ivar traceback: as Python prints it, at most 32 KiB; empty where there is none.
    """

    __slots__ = ("kind", "type", "message", "traceback")  # noqa: RUF023
    kind: str
    type: str
    message: str
    traceback: str

    def __init__(self, kind: str, type: str, message: str, traceback: str = "") -> None:  # noqa: A002
        self._set(kind, type, message, traceback)

    @classmethod
    def from_body(cls, body: Buffer) -> Failure:
        """Decode a body.

        Raises:
            ProtocolError: reason ``body``.
        """
        return cls.from_map(_fields(body, "failure", MAX_TOLD))

    @classmethod
    def from_map(cls, fields: Any) -> Failure:
        """Check a map of four texts.

        Raises:
            ProtocolError: reason ``body``: it is none, or of an unknown kind.
        """
        if type(fields) is not dict or not all(type(fields.get(name)) is str for name in cls.__slots__):
            raise ProtocolError("body", "a failure that is no map of kind, type, message and traceback")
        if fields["kind"] not in FAILURE_KINDS:
            raise ProtocolError("body", f"there is no failure of kind {fields['kind']!r}")
        return cls(*(fields[name] for name in cls.__slots__))


RETIRE_REASONS: Final = frozenset({"max_batches", "max_rss"})
"""Why a worker is to be replaced: it has executed as many batches as it may, or has grown too large."""


def retire_reason(frame: Frame) -> str:
    """Why a worker retires.

    Raises:
        ProtocolError: reason ``body``: it does not say.
    """
    if len(frame.body) > MAX_TOLD:
        raise ProtocolError("body", f"the body of a retire frame has {len(frame.body)} bytes, more than {MAX_TOLD}")
    try:
        reason = decode(frame.body)
    except DecodeError as error:
        raise ProtocolError("body", f"the body of a retire frame is no value: {error}") from error
    if type(reason) is not str or reason not in RETIRE_REASONS:
        raise ProtocolError("body", "a worker retires for a reason that there is not")
    return reason


def retire_awaits(frame: Frame) -> frozenset[int]:
    """Which requests a worker that retires has in execution and still answers.

    Raises:
        ProtocolError: reason ``body``: it does not say.
    """
    if not frame.side:
        return frozenset()
    if len(frame.side) > MAX_TOLD:
        raise ProtocolError("body", f"the side of a retire frame has {len(frame.side)} bytes, more than {MAX_TOLD}")
    try:
        request_ids = decode(frame.side)
    except DecodeError as error:
        raise ProtocolError("body", f"the side of a retire frame is no value: {error}") from error
    if type(request_ids) is not list or not all(type(request_id) is int for request_id in request_ids):
        raise ProtocolError("body", "the side of a retire frame is no list of request ids")
    return frozenset(request_ids)


def call_side(target: int | str, session: str | None = None) -> bytes:
    """Return the side section of a call (a loaded target's number) or a command (its name)."""
    return encode([target, session])


def parse_call_side(side: Buffer) -> tuple[int | str, str | None]:
    """Target or command name, and session id.

    Raises:
        ProtocolError: reason ``body``.
    """
    try:
        fields = decode(side)
    except DecodeError as error:
        raise ProtocolError("body", f"the side of a request is no value: {error}") from error
    if (
        type(fields) is list
        and len(fields) == 2
        and type(fields[0]) in (int, str)
        and (fields[1] is None or type(fields[1]) is str)
    ):
        return fields[0], fields[1]
    raise ProtocolError("body", "the side of a request is not [target, session]")


def stream_side(target: int | str, session: str | None, chunks: int, size: int) -> bytes:
    """Return the side section of a stream.

    Args:
        target: as of `call_side`.
        session: the session id, or None.
        chunks: that may be ahead of the reader, at the most.
        size: bytes of these from which on no further one is made.
    """
    return encode([target, session, chunks, size])


def parse_stream_side(side: Buffer) -> tuple[int | str, str | None, int, int]:
    """Target or command name, session id, and how far it may be ahead: in chunks and in bytes.

    Raises:
        ProtocolError: reason ``body``.
    """
    try:
        fields = decode(side)
    except DecodeError as error:
        raise ProtocolError("body", f"the side of a stream is no value: {error}") from error
    if (
        type(fields) is list
        and len(fields) == 4
        and type(fields[0]) in (int, str)
        and (fields[1] is None or type(fields[1]) is str)
        and all(type(each) is int and each > 0 for each in fields[2:])
    ):
        return fields[0], fields[1], fields[2], fields[3]
    raise ProtocolError("body", "the side of a stream is not [target, session, chunks, bytes]")


def reply_side(indexes: Sequence[int], failures: Sequence[Failure]) -> bytes:
    """Return the side section of a reply whose items at ``indexes`` (ascending) failed; empty if none did."""
    if not indexes:
        return b""
    return struct.pack(f"<{len(indexes)}I", *indexes) + encode([failure._map() for failure in failures])


def reply_failures(frame: Frame) -> list[tuple[int, Failure]]:
    """Return the failed items of a reply (or a failure), ascending, each with its index among all the batch's items.

    Raises:
        ProtocolError: reason ``body``: the side section does not say what the header announces.
    """
    count = frame.failed
    if not count:
        if frame.side:
            raise ProtocolError("body", "a reply without failed items has a side section")
        return []
    if len(frame.side) < 4 * count:
        raise ProtocolError("body", f"a reply announces {count} failed items and does not name them")
    if len(frame.side) > (4 + MAX_TOLD) * count:
        raise ProtocolError("body", f"a reply describes {count} failed items in {len(frame.side)} bytes")
    indexes = struct.unpack_from(f"<{count}I", frame.side)
    total = frame.count + count
    if any(low >= high for low, high in zip(indexes, (*indexes[1:], total))):  # noqa: B905
        raise ProtocolError("body", f"the failed items of a reply are not ascending below {total}")
    try:
        maps = decode(memoryview(frame.side)[4 * count :])
    except DecodeError as error:
        raise ProtocolError("body", f"the failures of a reply are no value: {error}") from error
    if type(maps) is not list or len(maps) != count:
        raise ProtocolError("body", f"a reply announces {count} failed items and describes another number")
    return [(index, Failure.from_map(fields)) for index, fields in zip(indexes, maps)]  # noqa: B905


__all__ = [
    "FAILURE_KINDS",
    "MAX_MESSAGE",
    "MAX_TOLD",
    "MAX_TRACEBACK",
    "DecodeError",
    "EncodeError",
    "Failure",
    "Hello",
    "Load",
    "Ready",
    "call_side",
    "parse_call_side",
    "parse_stream_side",
    "reply_failures",
    "reply_side",
    "retire_awaits",
    "retire_reason",
    "stream_side",
]
