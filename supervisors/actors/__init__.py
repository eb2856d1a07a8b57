"""Actors: light ones on a scheduler, and ones with a thread of their own."""
