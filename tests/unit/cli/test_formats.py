"""Input that is no JSON Lines is recognized by how it begins."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pytest

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


def test_good_lines_are_never_looked_at_twice() -> None:
    assert parse_line(1, b"\xef\xbb\xbf[1]") == [1]
