"""The pool that the parameters of ProcessPoolExecutor come to."""

from __future__ import annotations

from typing import Any

import pytest
from support import called

from slither_actors import OptionError
from slither_actors.futures.own_pool import own_pool, started_by
from slither_actors.pools.spec import default_size


def test_parameters_become_keys_of_a_pool() -> None:
    spec = own_pool(3, None, 7, {})
    assert (spec.size, spec.max_batches, spec.adapter, spec.init) == (3, 7, None, {})
    assert own_pool(None, None, None, {}).size == default_size()


def test_an_initializer_becomes_an_adapter() -> None:
    spec = own_pool(1, None, None, started_by(called.remember, (1,), "msgpack"))
    assert spec.adapter == "slither_actors.worker.calls:Initializer"
    assert spec.init == {"request": ["support.called", "remember", [[1]], {}]}
    assert started_by(None, (1,), "msgpack") == {}


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ((1 << 40, None, None), "max_workers"),
        ((True, None, None), "max_workers"),
        ((1, None, 0), "max_tasks_per_child"),
    ],
)
def test_errors_name_the_parameter(parameters: Any, name: str) -> None:
    with pytest.raises(OptionError, match=f"^{name} must be") as raised:
        own_pool(*parameters, {})
    assert raised.value.option == name
