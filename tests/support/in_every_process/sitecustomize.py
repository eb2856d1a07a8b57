"""What a condition (tests/conditions) asks of every Python process: of pytest, of scripts, of workers.

Python imports a module of this name when it starts; this folder is on PYTHONPATH while such a condition is tried.
Workers may be Python 3.9: standard library only.
"""

import os
import sys

SWITCH_INTERVAL = "SLITHER_ACTORS_TEST_SWITCH_INTERVAL"  # seconds
WARNINGS = "SLITHER_ACTORS_TEST_WARNINGS"  # a folder


def report_warnings(folder):
    """Make each warning an error, and leave it in the folder: an error may be caught, and what is printed goes unread.

    In the process of pytest its own handling of warnings comes before this one.
    """
    import itertools
    import threading
    import traceback
    import warnings

    number = itertools.count()

    def leave(told):
        name = f"{os.getpid()}-{threading.get_ident()}-{next(number)}"
        command = " ".join(getattr(sys, "orig_argv", sys.argv))[:300]
        with open(os.path.join(folder, "." + name), "w") as file:
            file.write(f"process {os.getpid()}: {command}\n{told}")
        # Read by another process, and removed there: whole or not at all.
        os.rename(file.name, os.path.join(folder, name))

    def showwarning(message, category, filename, lineno, file=None, line=None):
        text = warnings.formatwarning(message, category, filename, lineno, line)
        leave(text + "".join(traceback.format_stack(sys._getframe(1))))
        raise message

    def unraisablehook(unraisable):
        # A warning of a finalizer has been left already. Any other exception that no code can catch is a mistake, too.
        if not isinstance(unraisable.exc_value, Warning):
            where = f"Exception ignored in: {unraisable.object!r}\n"
            parts = (unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
            leave(where + "".join(traceback.format_exception(*parts)))
        sys.__unraisablehook__(unraisable)

    warnings.simplefilter("always")
    warnings.showwarning = showwarning
    sys.unraisablehook = unraisablehook


if os.environ.get(SWITCH_INTERVAL):
    sys.setswitchinterval(float(os.environ[SWITCH_INTERVAL]))
if os.environ.get(WARNINGS):
    report_warnings(os.environ[WARNINGS])
