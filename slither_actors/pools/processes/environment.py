"""The environment that workers and guardian are started with."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping

from slither_actors.wire.log_lines import LEVELS
from slither_actors.worker.boot import STARTED_AS

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What numerical libraries take their number of threads from. By default each takes one a processor, and so many in
each of as many workers are in each other's way."""

_LOGGERS = 200
"""Maximum number of loggers whose levels are sent to a worker."""
_TRIES = 100


def of_host() -> dict[str, str]:
    """Return a copy of this process's environment, also while other threads change it."""
    for _ in range(_TRIES):
        try:
            return dict(os.environ)
        except (KeyError, RuntimeError):  # a variable was deleted or added between listing and reading
            continue
    return dict(os.environ)


def of_worker(host: Mapping[str, str], added: Mapping[str, str], size: int, processors: int) -> dict[str, str]:
    """Return the environment of one worker.

    Args:
        host: the host's.
        added: the pool's own variables. An empty value of one of `THREADS` leaves that variable out: its library
            decides, as it would in a program of its own.
        size: workers of the pool.
        processors: that they share.
    """
    found = {**host, **added}
    for name in THREADS:
        if added.get(name) == "":
            del found[name]
    # OpenBLAS, MKL and the like go by OMP_NUM_THREADS unless they have a variable of their own: with ours they would
    # not do any more what the user says by it.
    if "OMP_NUM_THREADS" not in host and "OMP_NUM_THREADS" not in added:
        threads = str(max(1, processors // size))
        for name in THREADS:
            if name not in host and name not in added:
                found[name] = threads
    found.pop("PYTHONINSPECT", None)  # after its end in good order it would wait for a terminal, and print a traceback
    found[STARTED_AS] = "a worker"
    found[LEVELS] = log_levels()
    return found


def log_levels() -> str:
    """Return the levels that are set in this process's `logging`.

    So that workers make no records that nothing here takes and, where more than warnings are wanted, make them.
    """
    root = logging.getLogger()
    levels = {"": root.level}
    for name, logger in list(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level and len(levels) <= _LOGGERS:
            levels[name] = logger.level
    return json.dumps(levels)


def of_guardian(host: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a guardian.

    Args:
        host: the host's.
    """
    return {**host, STARTED_AS: "the guardian"}
