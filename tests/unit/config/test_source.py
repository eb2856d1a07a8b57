"""The bytes of a configuration: regular files only, bounded, UTF-8, and the place of what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisors.config.errors import Place
from supervisors.config.source import MAX_BYTES, Unreadable, decode, place_behind, read_bytes


def test_a_file_is_read_up_to_one_byte_over_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a: 1\n")
    assert read_bytes(file) == b"a: 1\n"
    file.write_bytes(b"x" * (MAX_BYTES + 100))
    data = read_bytes(file)
    assert len(data) == MAX_BYTES + 1
    with pytest.raises(Unreadable, match="larger than"):
        decode(data)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, why in ((tmp_path / "fifo", "no regular file"), (tmp_path, "directory"), (tmp_path / "no", "no such")):
        with pytest.raises(Unreadable, match=f"^cannot be read: .*{why}"):
            read_bytes(path)
    with pytest.raises(Unreadable, match="null"):
        read_bytes("a\0b")


@pytest.mark.parametrize(
    ("data", "message", "place"),
    [
        (b"a: 1\nb: \xff", "byte 0xff is not UTF-8", Place(2, 4)),
        ("a: 1".encode("utf-16"), "UTF-16", Place(1, 1)),
        ("a: 1\r\nbc: \x07", "U+0007", Place(2, 5)),
        ("a: \ud800", "U+D800", Place(1, 4)),
    ],
)
def test_what_is_no_text_is_named_with_its_place(data: str | bytes, message: str, place: Place) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(data)
    assert message in caught.value.message
    assert caught.value.place == place


def test_a_byte_order_mark_is_left_out() -> None:
    assert decode("\ufeffa: 1".encode()) == decode("a: 1") == "a: 1"
    assert place_behind("\ufeffab\rc\nd") == Place(3, 2)
