"""From nothing to the first result of two workers, and out again. Prints the clock at the first result."""

import time

from slither_actors import PoolSpec, System

if __name__ == "__main__":
    with System(pools={"default": PoolSpec(size=2)}) as system:
        stream = system.dispatch.stream(range(64), module="operator", function="neg", each=True, batch_size=8)
        first = next(iter(stream))
        print(time.monotonic())
        assert first.payload == 0
        stream.close()
