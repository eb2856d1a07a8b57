"""The library's errors with the names that its options have on the command line."""

from __future__ import annotations

import re
from typing import Any, Final

FLAGS: Final = {
    "batch_size": "--batch-size",
    "each": "--each",
    "linger": "--linger",
    "max_attempts": "--on-error retry:N",
    "max_in_flight": "--max-in-flight",
    "max_restarts": "--max-restarts",
    "max_restarts=None": "--max-restarts none",
    "ordering": "--ordering",
    "path": "--path DIR",
    "python": "--python PROGRAM",
    "size": "--workers",
    "start_timeout": "--start-timeout SECONDS",
    "timeout": "--timeout",
    "timeout=None": "--timeout none",
}
"""By the name that the library has for an option, and may give in the `mentions` of an error."""

# How an option of a pool is written where an error has no `mentions`.
_SPELLINGS: Final = ("PoolSpec({}=...)", "PoolSpec({}=[...])", "PoolSpec({})")


# What a worker writes by itself before it gives up, of the option that names its interpreter.
_OF_A_WORKER: Final = "A wrapper that PoolSpec(python=...) names must"


def translated_line(line: str) -> str:
    """Return a line that a worker has written to its stderr; what the user's code has written is left as it is."""
    return line.replace(_OF_A_WORKER, _OF_A_WORKER.replace("PoolSpec(python=...)", FLAGS["python"]))


def translated(error: BaseException) -> str:
    """Return an error's text, with the options of the command line in the place of the library's."""
    text = str(error)
    mentions: dict[str, str] = {}
    seen: set[int] = set()
    inner: Any = error
    # A run's error has the text of its reason in its own.
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        mentions.update(getattr(inner, "mentions", None) or {})
        if isinstance(option := getattr(inner, "option", None), str):
            unlimited = f"{option}=None"
            mentions.update({option: option, unlimited: unlimited, "None: no limit": unlimited})
            mentions[f"Retry's {option}"] = option
            if option in FLAGS and unlimited not in FLAGS:  # the command line has no word for that
                text = text.replace("; None: no limit", "")
            mentions["batch_size"] = "batch_size"  # a smaller batch keeps a limit, too
        inner = getattr(inner, "reason", None)
    flags = {spelling.format(name): flag for name, flag in FLAGS.items() for spelling in _SPELLINGS}
    flags.update((words, FLAGS[name]) for words, name in mentions.items() if name in FLAGS)
    # In one pass, the longest first: what was put in is not looked at again.
    literal = "|".join(map(re.escape, sorted(flags, key=len, reverse=True)))
    return re.sub(rf"(?<![\w-])(?:{literal})(?!\w)", lambda found: flags[found[0]], text)
