"""Results that a worker can encode, and a host cannot decode."""

from __future__ import annotations

import msgpack

MANY = frozenset((2**61 - 1) * number + 5 for number in range(257))


def one(payload):
    """For 37 a set of 257 numbers of one hash; for 38 an extension of a type that there is not."""
    if payload == 37:
        return {"of": MANY}
    if payload == 38:
        return [msgpack.ExtType(127, b"x")]
    return {"of": payload}


def batch(payloads):
    return [one(payload) for payload in payloads]


def last(payloads):
    """All are undecodable from 60 on."""
    return [MANY if payload >= 60 else payload for payload in payloads]


def all_of_them(payloads):
    return [MANY for _ in payloads]


def partly(payload):
    if payload == 36:
        raise ValueError("by itself")
    return one(payload)
