"""Functions that print and log. Runs on Python 3.9."""

from __future__ import annotations

import os
import sys


def prints(payload):
    print("a print of", payload)
    sys.stderr.write(f"on stderr {payload}\n")
    return payload


def dies_in_a_line(payload):
    sys.stdout.write("no end")
    sys.stdout.flush()
    os._exit(1)


def logs(payload):
    import logging

    log = logging.getLogger("my.app")
    log.debug("a detail")
    log.info("two\nlines of %s", payload)
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("it failed: 100%% \u00fc")
    return payload


def logs_as_a_library(payload):
    import logging
    import warnings

    library = logging.getLogger("lib")
    library.addHandler(logging.NullHandler())
    library.error("two\nlines")
    logging.getLogger("lib.child").warning("of a child")
    apart = logging.getLogger("apart")
    apart.addHandler(logging.NullHandler())
    apart.propagate = False
    apart.error("not propagated")
    logging.captureWarnings(True)
    warnings.warn("a warning", stacklevel=1)
    return payload


def logs_by_functions_of_the_module(payload):
    import logging

    logging.error("by a function")  # noqa: LOG015 (it is what is tested)
    logging.getLogger("my.app").error("two\nlines")
    return payload


def configures_after_it_has_logged(payload):
    import logging

    logging.error("before")  # noqa: LOG015 (it is what is tested)
    assert not logging.root.handlers
    library = logging.getLogger("lib")
    library.addHandler(logging.NullHandler())
    library.error("before")
    logging.basicConfig(format="mine %(name)s %(message)s", stream=sys.stderr)
    logging.error("after")  # noqa: LOG015 (it is what is tested)
    library.error("after")
    library.propagate = False
    library.error("silent")
    return payload


def logs_too_much(payload):
    import logging

    logging.getLogger("my.app").error("%s", "\x01" * 100_000 + "the end")
    return payload


def logs_under_many_names(payload):
    import logging

    for number in range(1000):
        logging.getLogger(f"name.{number}").warning("w")
    return payload


def logs_by_its_own_handlers(payload):
    import logging

    logging.basicConfig(format="mine %(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("my.app").info("hello")
    return payload


def has_logging(payload):
    return "logging" in sys.modules


def dies_after_a_record(payload):
    import logging

    logging.getLogger("my.app").error("the last words")
    os._exit(1)
