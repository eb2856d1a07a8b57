"""The arguments of one command, sorted into options and positionals."""

from __future__ import annotations

import argparse

import pytest

from slither_actors.cli.order import Ordered


def a_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="p", add_help=False)
    parser.add_argument("positional", nargs="*")
    parser.add_argument("-o", "--output")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-q", action="store_true")
    return parser


def ordered(*argv: str) -> Ordered:
    return Ordered(argv, a_parser())


def test_each_option_is_known_with_whether_it_takes_a_value() -> None:
    assert ordered().known == {"-o": True, "--output": True, "-v": False, "--verbose": False, "-q": False}


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        ([], []),
        (["-v"], ["-v"]),
        (["a", "-v", "b"], ["-v", "--", "a", "b"]),
        (["a", "-o", "out", "b"], ["-o", "out", "--", "a", "b"]),
        (["a", "--output", "out", "b"], ["--output", "out", "--", "a", "b"]),
        (["a", "--output=out", "b"], ["--output=out", "--", "a", "b"]),
        (["--output=", "b"], ["--output=", "--", "b"]),
        (["-oout", "b"], ["-oout", "--", "b"]),
        (["-vo", "out", "b"], ["-vo", "out", "--", "b"]),
        (["-vqo", "out", "b"], ["-vqo", "out", "--", "b"]),
        (["-vq", "b"], ["-vq", "--", "b"]),
        (["--verbose", "b"], ["--verbose", "--", "b"]),
    ],
)
def test_options_come_first_and_keep_their_values(given: list[str], argv: list[str]) -> None:
    found = ordered(*given)
    assert (found.argv, found.unknown) == (argv, [])


@pytest.mark.parametrize("value", ["-", "-1", "-.5", "-12.75"])
def test_a_dash_and_negative_numbers_are_no_options(value: str) -> None:
    assert ordered(value, "-v").argv == ["-v", "--", value]
    assert ordered("-o", value, "a").argv == ["-o", value, "--", "a"]


@pytest.mark.parametrize("text", ["-1x", "-.", "-1.x"])
def test_what_only_begins_like_a_number_is_an_option(text: str) -> None:
    assert ordered(text).unknown == [text]


def test_what_follows_two_dashes_is_no_option() -> None:
    found = ordered("-v", "--", "-o", "--", "--nothing")
    assert found.positionals == ["-o", "--", "--nothing"]
    assert found.argv == ["-v", "--", "-o", "--", "--nothing"]
    assert found.unknown == []


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        (["-o", "-v", "a"], ["-o", "-v", "--", "a"]),
        (["-o", "--", "a"], ["-o", "--", "a"]),
        (["-o", "--output", "out", "a"], ["-o", "--output", "out", "--", "a"]),
    ],
)
def test_an_option_never_takes_an_option_as_its_value(given: list[str], argv: list[str]) -> None:
    found = ordered(*given)
    assert (found.positionals, found.argv) == (["a"], argv)


def test_an_option_at_the_end_goes_without_its_value() -> None:
    assert ordered("a", "--output").argv == ["--output", "--", "a"]


@pytest.mark.parametrize(
    ("given", "unknown"),
    [
        (["--ouptut", "a"], ["--ouptut"]),
        (["--ouptut=x", "a"], ["--ouptut"]),
        (["-x", "a"], ["-x"]),
        (["-xyz", "a"], ["-xyz"]),
        (["-vx", "a"], ["-x"]),
        (["-x", "--why", "a"], ["-x", "--why"]),
    ],
)
def test_unknown_options_are_noted_and_take_no_value(given: list[str], unknown: list[str]) -> None:
    found = ordered(*given)
    assert found.unknown == unknown
    assert found.positionals == ["a"]


def test_the_callers_list_is_not_changed() -> None:
    argv = ["a", "-o", "out"]
    Ordered(argv, a_parser())
    assert argv == ["a", "-o", "out"]


def test_argparse_takes_what_was_ordered() -> None:
    found = a_parser().parse_args(ordered("one", "-vo", "out", "--", "-q").argv)
    assert vars(found) == {"positional": ["one", "-q"], "output": "out", "verbose": True, "q": False}
