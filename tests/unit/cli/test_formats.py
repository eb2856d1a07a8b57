"""Input that is no JSON Lines is recognized by how it begins."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib

import pytest

from slither_actors.cli.formats import recognized
from slither_actors.cli.lines import MalformedLine, parse_line

TEXT = '{"a": 1}\n{"a": 2}\n'


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.jsonl", TEXT)
    return file.getvalue()


FORMS: list[tuple[bytes, str, str]] = [
    (gzip.compress(TEXT.encode()), "gzip", "zcat FILE | slither-actors map MODULE:FUNCTION -"),
    (bz2.compress(TEXT.encode()), "bzip2", "bzcat"),
    (lzma.compress(TEXT.encode()), "xz", "xzcat"),
    (lzma.compress(TEXT.encode(), lzma.FORMAT_ALONE), "lzma", "xzcat"),
    *((zlib.compress(TEXT.encode(), level), "zlib", "zlib.decompress") for level in (0, 3, 6, 9)),
    (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z", "7z x -so"),
    *((pickle.dumps([1], protocol), "a pickle", "JSON Lines first") for protocol in range(2, 6)),
    (b"[{\n  1", "one JSON value over many lines", "jq -c '.[]'"),
    (b"[ [\r\n", "one JSON value over many lines", "jq -c '.[]'"),
    (b"\xef\xbb\xbf[\n", "one JSON value over many lines", "jq -c '.[]'"),
    (b"\x28\xb5\x2f\xfd\x24\x12\x91\x00", "zstd", "zstdcat"),
    (zipped(), "zip archive", "unzip -p"),
    (TEXT.encode("utf-16"), "UTF-16", "iconv -f UTF-16 "),
    (TEXT.encode("utf-16-be"), "UTF-16", "iconv -f UTF-16BE"),
    (TEXT.encode("utf-16-le"), "UTF-16", "iconv -f UTF-16LE"),
    (TEXT.encode("utf-32"), "UTF-32", "iconv -f UTF-32 "),
    (b"PAR1\x15\x04\x15\x10", "Parquet", "JSON Lines first"),
    (json.dumps([1, 2], indent=2).encode(), "one JSON value over many lines", "jq -c '.[]'"),
    (json.dumps({"a": 1}, indent=2).encode(), "one JSON value over many lines", "jq -c ."),
]


@pytest.mark.parametrize(("data", "what", "remedy"), FORMS, ids=[what for _, what, _ in FORMS])
def test_it_is_named_with_a_remedy(data: bytes, what: str, remedy: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        parse_line(1, data.split(b"\n")[0])
    assert what in caught.value.reason
    assert remedy in caught.value.reason
    assert str(caught.value).startswith("line 1: ")


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe{", b"\x1f\x8b"])
def test_only_the_first_line_says_what_a_file_is(line: bytes) -> None:
    with pytest.raises(MalformedLine) as caught:
        parse_line(2, line)
    assert "the input" not in caught.value.reason


@pytest.mark.parametrize("line", [b"\xe4 latin-1", b"x", b'{"a": }', b"[1, 2", b"PA", b""])
def test_what_is_not_recognized_is_told_as_before(line: bytes) -> None:
    with pytest.raises(MalformedLine) as caught:
        parse_line(1, line)
    assert "the input" not in caught.value.reason


def test_the_first_line_may_stand_after_blank_ones() -> None:
    with pytest.raises(MalformedLine, match="one JSON value over many lines"):
        parse_line(3, b"[", first=True)


def test_text_of_another_encoding_has_a_remedy_on_any_line() -> None:
    for line in (b'"caf\xe9"', b"\t\xe4"):
        with pytest.raises(MalformedLine, match=r"not UTF-8 at byte .*iconv -f LATIN1 -t UTF-8"):
            parse_line(7, line)
    with pytest.raises(MalformedLine) as caught:
        parse_line(7, b"\x01\xe4")
    assert "iconv" not in caught.value.reason


@pytest.mark.parametrize("line", [b"x^y", b"]", b"x"])
def test_text_is_not_taken_for_compressed(line: bytes) -> None:
    assert recognized(line) is None


def test_good_lines_are_never_looked_at_twice() -> None:
    assert parse_line(1, b"\xef\xbb\xbf[1]") == [1]


PIPED = "{} | slither-actors map MODULE:FUNCTION -"


@pytest.mark.parametrize(
    ("beginning", "what", "remedy"),
    [
        (b"\x1f\x8b\x08", "compressed by gzip", PIPED.format("zcat FILE")),
        (b"\x1f\x9d\x90", "compressed by compress", PIPED.format("zcat FILE")),
        (b"\x04\x22\x4d\x18", "compressed by lz4", PIPED.format("lz4cat FILE")),
        (b"\xff\xfe\x00\x00{\x00", "UTF-32 text", PIPED.format("iconv -f UTF-32 -t UTF-8 FILE")),
        (b"\x00\x00\xfe\xff\x00", "UTF-32 text", PIPED.format("iconv -f UTF-32 -t UTF-8 FILE")),
        (b"\xff\xfe{\x00", "UTF-16 text", PIPED.format("iconv -f UTF-16 -t UTF-8 FILE")),
        (b"\xfe\xff\x00{", "UTF-16 text", PIPED.format("iconv -f UTF-16 -t UTF-8 FILE")),
        (b"ARROW1\x00\x00", "an Arrow file", "write its rows as JSON Lines first"),
        (b"Obj\x01\x04", "an Avro file", "write its rows as JSON Lines first"),
        (b"SQLite format 3\x00", "an SQLite database", "write its rows as JSON Lines first"),
        (b"\x93NUMPY\x01", "a NumPy array", "write its rows as JSON Lines first"),
        (b"%PDF-1.7", "a PDF document", "what is read is JSON Lines"),
        (b"\x7fELF\x02", "a program", "what is read is JSON Lines"),
    ],
)
def test_the_first_bytes_say_what_it_is(beginning: bytes, what: str, remedy: str) -> None:
    assert recognized(beginning) == f"the input is {what}, not JSON Lines: {remedy}"


@pytest.mark.parametrize(
    ("beginning", "encoding"),
    [
        ("12".encode("utf-16-le"), "UTF-16LE"),
        ("12".encode("utf-16-be"), "UTF-16BE"),
        # A line feed ends between its two bytes, so that a line of the second form has a zero more.
        ('{"a": 1}\n'.encode("utf-16-be").split(b"\n")[0], "UTF-16BE"),
        # Only the beginning is looked at.
        (("1" * 32 + "\u20ac\u0100").encode("utf-16-le"), "UTF-16LE"),
        (("1" * 32 + "\u20ac\u0100").encode("utf-16-be"), "UTF-16BE"),
    ],
)
def test_utf_16_without_a_mark_is_recognized(beginning: bytes, encoding: str) -> None:
    found = recognized(beginning)
    assert found is not None
    assert found.startswith("the input is UTF-16 text")
    assert found.endswith(PIPED.format(f"iconv -f {encoding} -t UTF-8 FILE"))


@pytest.mark.parametrize(
    ("beginning", "command"),
    [(b"[", "jq -c '.[]' FILE"), (b"  [ \r", "jq -c '.[]' FILE"), (b"{", "jq -c . FILE"), (b"\t{", "jq -c . FILE")],
)
def test_one_value_over_many_lines_is_recognized(beginning: bytes, command: str) -> None:
    found = recognized(beginning)
    assert found is not None
    assert "one JSON value over many lines" in found
    assert found.endswith(PIPED.format(command))


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"1",
        b"\x00",
        b"1\x00",
        b"1\x002",
        b"\x00" * 8,
        b"1\x00\x002",
        b"1234",
        b"[]",
        b"{}",
        b"BZ",
        b" PAR1",
        b"%PDF",
    ],
)
def test_of_other_bytes_nothing_is_said(beginning: bytes) -> None:
    assert recognized(beginning) is None
