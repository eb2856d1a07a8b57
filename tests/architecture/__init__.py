"""The structure of the two packages, read from their source.

Each module here measures one property; the tests hold it, and ``python -m tests.architecture`` prints it.
"""
