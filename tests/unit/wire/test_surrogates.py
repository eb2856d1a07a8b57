"""Text with lone surrogates travels like any other, at no cost for text without."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from support.ids import stable

from slither_actors.wire import extensions
from slither_actors.wire.codec import EncodeError, Encoder, decode, encode

CUT = "cut \ud83d"


@pytest.mark.parametrize(
    "value",
    [
        CUT,
        "\ud800\udfff\udc00",
        [CUT] * 64,
        ["good", CUT, "ü", {"a": [1, {"b": CUT}]}],
        {CUT: CUT, "b": {(CUT, 1): CUT}},
        (CUT, [(CUT,)]),
        {CUT, "a"},
        frozenset({CUT, (1, frozenset({CUT}))}),
        {"items": [CUT, 1, b"x" * 100_000]},
        [b"y" * 100_000, CUT],
        dt.timezone(dt.timedelta(hours=1), CUT),
        [dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), CUT))],
        {f"{CUT}{number}": number for number in range(1000)},
    ],
    ids=stable,
)
def test_it_comes_out_equal_and_of_the_same_type(value: Any) -> None:
    for packed in (value, [value], {"k": (value,)}):
        back = decode(encode(packed))
        assert back == packed
        assert repr(back) == repr(packed)
    encoder = Encoder()
    body, buffers = encoder.encode(value)
    assert decode(body, b"".join(buffers)) == value
    assert decode(encoder.encode(["next"])[0]) == ["next"]


def test_what_was_given_is_left_as_it_is() -> None:
    value = {"a": [CUT, {"b": (CUT,)}]}
    encode(value)
    assert [type(text) for text in (value["a"][0], value["a"][1]["b"][0])] == [str, str]  # type: ignore[index,call-overload]
    good = ["a", ("b", {"c": {"d"}})]
    assert extensions.with_surrogates(good) is good


def test_something_else_that_cannot_go_is_named_and_not_text() -> None:
    with pytest.raises(EncodeError) as caught:
        encode([CUT, {"a": object(), "b": CUT}])
    assert caught.value.path == "[1]['a']"
    cycle: list[Any] = [CUT]
    cycle.append(cycle)
    with pytest.raises(EncodeError, match="itself"):
        encode(cycle)


def test_deep_text_needs_no_c_stack() -> None:
    value: Any = CUT
    for _ in range(300):
        value = [value]
    came: list[Any] = []
    before = threading.stack_size(1 << 18)
    try:
        thread = threading.Thread(target=lambda: came.append(extensions.with_surrogates(value)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert came == [value]
    assert decode(encode(value)) == value


def test_subclasses_are_refused_as_they_were() -> None:
    class Text(str):
        __slots__ = ()

    for value in (Text("a"), Text(CUT)):
        with pytest.raises(EncodeError, match=r"str\(\) of it"):
            encode([value])
    assert type(decode(encode(CUT))) is str


def test_good_text_takes_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(value: object) -> object:
        raise AssertionError("not for good text")

    monkeypatch.setattr(extensions, "with_surrogates", never)
    assert decode(encode(["äöü", {"k": "x" * 100_000}])) == ["äöü", {"k": "x" * 100_000}]
