"""Takes as long for its import as the environment says, as a module with a large model does."""

from __future__ import annotations

import os
import time

time.sleep(float(os.environ["SLOW_IMPORT"]))


def double(payloads):
    return [2 * payload for payload in payloads]
