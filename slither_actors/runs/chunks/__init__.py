"""Streams of one payload: its function yields, and the chunks come one after the other."""
