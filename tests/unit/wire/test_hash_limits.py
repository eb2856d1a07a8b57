"""How many keys of one hash a map may have."""

from __future__ import annotations

import pytest

from slither_actors.wire.extension_codes import DecodeError
from slither_actors.wire.hash_limits import MOST_ALIKE, check_hashes


class Alike:
    """Values of one hash that are all different."""

    def __hash__(self) -> int:
        return 7


def test_many_values_of_different_hashes_are_accepted() -> None:
    check_hashes(list(range(10 * MOST_ALIKE)))


@pytest.mark.parametrize("others", [0, 1000])
def test_as_many_of_one_hash_as_the_limit_are_accepted(others: int) -> None:
    check_hashes([*range(100, 100 + others), *(Alike() for _ in range(MOST_ALIKE))])


@pytest.mark.parametrize("others", [0, 1000])
def test_one_more_of_one_hash_is_refused(others: int) -> None:
    values = [*range(100, 100 + others), *(Alike() for _ in range(MOST_ALIKE + 1))]
    with pytest.raises(DecodeError, match=f"more than {MOST_ALIKE} keys"):
        check_hashes(values)


def test_many_pairs_of_one_hash_are_accepted() -> None:
    check_hashes([*range(1000), *map(float, range(1000))])


def test_a_value_without_a_hash_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        check_hashes([[]])
