"""A dynamic batcher: single calls from many tasks and threads, in batches while all workers are busy."""
