"""Hangs while it is imported."""

import time


def never_imported():
    while True:
        time.sleep(3600)


never_imported()


def f(payloads):
    return payloads
