"""Runs of one batch as single requests: one message to the scheduler, one back, no actor of their own."""
