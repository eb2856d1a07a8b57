"""Coverage of both packages by the suite, child processes included; see `__main__`."""
