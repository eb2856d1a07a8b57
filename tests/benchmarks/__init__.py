"""Timings against other pools. Not part of the test run: a claim about time is a ratio from one run on one machine."""
