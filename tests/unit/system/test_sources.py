"""What a run and a batch may be given."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors import OptionError
from slither_actors.sources import BATCHING_OPTIONS, as_it_is, check_source


class Async:
    """Can only be iterated asynchronously."""

    def __aiter__(self) -> Any:
        return self


def test_what_can_be_iterated_is_a_source() -> None:
    for items in ([], range(3), "text", iter(())):
        check_source(items, asynchronous=False)
    check_source(Async(), asynchronous=True)


@pytest.mark.parametrize(("items", "remedy"), [(Async(), "arun or astream"), (3, "int is not"), (len, "is not")])
def test_what_cannot_is_refused_with_the_remedy(items: Any, remedy: str) -> None:
    with pytest.raises(OptionError, match=remedy):
        check_source(items, asynchronous=False)


def test_a_batch_is_one_batch_whatever_its_length() -> None:
    assert as_it_is([1, 2, 3], {"timeout": 1.0}, "call_batch") == {"timeout": 1.0, "batch_size": 3, "max_in_flight": 1}
    assert as_it_is([], {}, "call_batch")["batch_size"] == 1


@pytest.mark.parametrize("name", BATCHING_OPTIONS)
def test_options_that_make_batches_have_no_meaning_for_one(name: str) -> None:
    with pytest.raises(OptionError, match="use run or stream"):
        as_it_is([1], {name: 1}, "call_batch")
