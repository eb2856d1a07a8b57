"""Each kind of frame is known everywhere that a kind has to be: its name, its direction, its import."""

from __future__ import annotations

from slither_actors.wire import frames, header, messages

# What else is a whole number there. A new constant that is no kind of frame gets its name here.
NO_KINDS = {"DEFAULT_MAX_FRAME", "HEADER_SIZE", "SHARED", "SHARED_SIZE", "VERSION"}
KINDS = {
    name: value
    for name, value in vars(header).items()
    if name.isupper() and type(value) is int and name not in NO_KINDS
}


def test_each_kind_has_a_number_of_its_own_in_one_byte() -> None:
    assert len(KINDS) >= 14
    assert len(set(KINDS.values())) == len(KINDS)
    assert all(0 < kind < 256 for kind in KINDS.values())


def test_each_kind_has_its_name() -> None:
    assert {kind: name.lower() for name, kind in KINDS.items()} == header.KIND_NAMES


def test_each_kind_has_one_direction() -> None:
    assert set(KINDS.values()) == header.FROM_HOST | header.FROM_WORKER
    assert frozenset() == header.FROM_HOST & header.FROM_WORKER


def test_each_kind_is_imported_from_frames() -> None:
    assert KINDS.keys() <= set(frames.__all__)
    assert {name: getattr(frames, name) for name in KINDS} == KINDS


def test_the_table_of_messages_has_each_kind_with_its_direction() -> None:
    table = (messages.__doc__ or "").splitlines()
    rows = {words[0]: " ".join(words[1:3]) for line in table if len(words := line.split()) > 2 and words[1] == "to"}
    to_worker = {header.KIND_NAMES[kind]: "to worker" for kind in header.FROM_HOST}
    to_host = {header.KIND_NAMES[kind]: "to host" for kind in header.FROM_WORKER}
    assert rows == to_worker | to_host
