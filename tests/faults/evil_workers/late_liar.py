"""A stand-in that answers what another worker was asked.

``("gate", gate, value)``: writes its request id down in the folder that is its argument, waits at the gate, gives the
value. ``("other",)``: answers the request whose id stands there.
"""

from __future__ import annotations

import os
import time

from impostor import ARGUMENTS, reply, say, serve

NOTE = os.path.join(ARGUMENTS[0], "request")


def answer(request, payloads):
    payload = payloads[0]
    if type(payload) is not tuple:
        say(reply(request, [2 * each for each in payloads]))
    elif payload[0] == "gate":
        _, gate, value = payload
        with open(NOTE, "w") as file:
            file.write(str(request.request_id))
        with open(gate + ".begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not os.path.exists(gate):
            time.sleep(0.002)
        say(reply(request, [value]))
    else:
        with open(NOTE) as file:
            number = int(file.read())
        say(reply(request, ["another's"], request_id=number))


if __name__ == "__main__":
    serve(answer)
