"""What travels between the host and a worker: frames, the values in them, and the order in which they may come.

Imports the standard library and msgpack only, and runs on Python 3.9 or later: a worker may be an older interpreter
than its host.
"""
