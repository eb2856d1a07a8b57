"""Cannot be imported, and counts how often that was tried."""

from __future__ import annotations

import os

with open(os.environ["IMPORTS"], "a") as file:
    file.write(f"{os.getpid()}\n")


def missing():
    import a_module_that_there_is_not  # noqa: F401


missing()
