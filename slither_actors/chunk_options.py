"""The bounds of one stream: how far its function may be ahead of its reader, and for how long it waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from slither_actors.validation.kinds import Seconds, Whole
from slither_actors.validation.option import check_fields, documented, option

_MOST_AHEAD = 65_535


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOptions:
    """The options of `stream_one`.

    Raises:
        OptionError: a value is out of range or of a wrong type; its `option` names it.
    """

    reader_timeout: float | None = field(
        default=60.0,
        metadata=option(
            Seconds(endless=True),
            "Seconds for which the worker waits for a reader that takes no chunk; then the function is closed, and the "
            "reader gets a StreamBroken with a ReaderTimeout",
            none="no limit",
        ),
    )
    max_ahead: int = field(
        default=16,
        metadata=option(Whole(1, _MOST_AHEAD), "Chunks by which the function may be ahead of the reader"),
    )
    max_ahead_bytes: int = field(
        default=4 * 1024 * 1024,
        metadata=option(Whole(1), "Bytes of these from which on it waits, too, whatever one chunk has"),
    )

    def __post_init__(self) -> None:
        check_fields(self, "stream_one's")


DEFAULT_BOUNDS = ChunkOptions()
"""Those of a stream that gives none."""
