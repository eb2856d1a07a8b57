"""What the workers are asked to do: each function for a batch, and for one payload as `imap` wants it."""

from __future__ import annotations

from typing import Any


def identity(payloads: list[Any]) -> list[Any]:
    return payloads


def identity_one(payload: Any) -> Any:
    return payload


def add_key(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for payload in payloads:
        payload["ok"] = True
    return payloads


def add_key_one(payload: dict[str, Any]) -> dict[str, Any]:
    payload["ok"] = True
    return payload


def length(payloads: list[bytes]) -> list[int]:
    return [len(payload) for payload in payloads]


def length_one(payload: bytes) -> int:
    return len(payload)
