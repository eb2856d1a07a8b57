"""From nothing to the first result of two workers, and out again. Prints the clock at the first result."""

import multiprocessing
import operator
import time

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first = next(pool.imap(operator.neg, range(64), chunksize=8))
        print(time.monotonic())
        assert first == 0
