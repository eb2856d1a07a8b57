"""Timings against other pools: `python -m tests.benchmarks`, or `make bench`. Not part of the test run.

A claim about time is a ratio from one run on one machine: ours and the others take their turns in the same rounds, and
what is reported is the median of the ratios of these rounds, with the lowest and the highest.
"""
