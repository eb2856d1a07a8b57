"""Demonstrations on real input. Imported by workers too: this file imports nothing."""
