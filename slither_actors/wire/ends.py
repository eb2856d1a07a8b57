"""How the end of a pipe or a socket shows, beside an end of file."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ENDS: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN})


def is_end(error: OSError) -> bool:
    """Whether the error says that the other side is gone, and not that something is wrong with this one.

    A pipe gives an end of file to its reader and EPIPE to its writer. A socket whose other side died with unread data
    gives ECONNRESET to both, and ENOTCONN or ESHUTDOWN to one that comes late.
    """
    return error.errno in _ENDS
