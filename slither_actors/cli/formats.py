"""What a file is that is no JSON Lines, by how it begins, and how to make lines of it."""

from __future__ import annotations

from typing import Final

_PIPED: Final = "{} | slither-actors map MODULE:FUNCTION -"

_WRITTEN: Final = "write its rows as JSON Lines first"

_MAGIC: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x1f\x8b", "compressed by gzip", _PIPED.format("zcat FILE")),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", _PIPED.format("zstdcat FILE")),
    (b"BZh", "compressed by bzip2", _PIPED.format("bzcat FILE")),
    (b"\xfd7zXZ\x00", "compressed by xz", _PIPED.format("xzcat FILE")),
    (b"\x04\x22\x4d\x18", "compressed by lz4", _PIPED.format("lz4cat FILE")),
    (b"\x5d\x00\x00", "compressed by lzma", _PIPED.format("xzcat FILE")),
    (b"\x1f\x9d", "compressed by compress", _PIPED.format("zcat FILE")),
    (b"PK\x03\x04", "a zip archive", _PIPED.format("unzip -p FILE")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _PIPED.format("7z x -so FILE")),
    (b"\xff\xfe\x00\x00", "UTF-32 text", _PIPED.format("iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\x00\x00\xfe\xff", "UTF-32 text", _PIPED.format("iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\xff\xfe", "UTF-16 text", _PIPED.format("iconv -f UTF-16 -t UTF-8 FILE")),
    (b"\xfe\xff", "UTF-16 text", _PIPED.format("iconv -f UTF-16 -t UTF-8 FILE")),
    (b"PAR1", "a Parquet file", f"{_WRITTEN}, with pandas by to_json(orient='records', lines=True)"),
    (b"ARROW1", "an Arrow file", _WRITTEN),
    (b"Obj\x01", "an Avro file", _WRITTEN),
    (b"SQLite format 3\x00", "an SQLite database", _WRITTEN),
    (b"\x93NUMPY", "a NumPy array", _WRITTEN),
    *((b"\x80%c" % number, "a pickle of Python's", _WRITTEN) for number in range(2, 6)),
    (b"%PDF-", "a PDF document", "what is read is JSON Lines"),
    (b"\x7fELF", "a program", "what is read is JSON Lines"),
)

# Two bytes, which text may begin with as well: only what is not UTF-8 is looked at for these.
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_UNZLIB: Final = (
    "python3 -c \"import sys, zlib; sys.stdout.buffer.write(zlib.decompress(open(0, 'rb').read()))\" < FILE"
)


def recognized(beginning: bytes) -> str | None:
    """Return what an input is, and the remedy, as a clause for an error; None if its first bytes do not show it.

    Args:
        beginning: of the input, to the end of its first line.
    """
    for magic, what, remedy in _MAGIC:
        if beginning.startswith(magic):
            return f"the input is {what}, not JSON Lines: {remedy}"
    for name, at in (("UTF-16LE", 1), ("UTF-16BE", 0)):  # without a byte order mark: every second byte of ASCII is 0
        if len(beginning) > 3 and not any(beginning[at:64:2]) and all(beginning[1 - at : 64 : 2]):
            return f"the input is UTF-16 text, not JSON Lines: {_PIPED.format(f'iconv -f {name} -t UTF-8 FILE')}"
    if b"".join(beginning.removeprefix(b"\xef\xbb\xbf").split()) in (b"[", b"{", b"[[", b"[{"):
        listed = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
        return (
            "the input seems to be one JSON value over many lines, not JSON Lines with one on each: "
            + _PIPED.format("jq -c '.[]' FILE" if listed else "jq -c . FILE")
        )
    if beginning.startswith(_ZLIB) and not _is_text(beginning):
        return f"the input is compressed by zlib, not JSON Lines: {_PIPED.format(_UNZLIB)}"
    return None


def of_no_utf8(line: bytes) -> str:
    """Return the remedy for a line that is not UTF-8, as a clause; nothing where it does not look like text."""
    # Text has no control characters but white space; in Latin-1 and its kin those from 0x80 on are letters.
    if any(byte < 32 and byte not in b"\t\r\f" for byte in line) or b"\x7f" in line:
        return ""
    return f"; if it is Latin-1: {_PIPED.format('iconv -f LATIN1 -t UTF-8 FILE')}"


def _is_text(line: bytes) -> bool:
    try:
        return line.decode().isprintable()
    except UnicodeDecodeError:
        return False
