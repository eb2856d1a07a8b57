"""The defaults that the schema of a tree states are those of the classes."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from supervisors import Backoff, ChildSpec
from supervisors.config.schema import BACKOFF, CHILD_KEYS, SUPERVISOR_KEYS
from supervisors.config.tree_config import SupervisorSpec


@pytest.mark.parametrize(
    ("keys", "cls"), [(BACKOFF["properties"], Backoff), (SUPERVISOR_KEYS, SupervisorSpec), (CHILD_KEYS, ChildSpec)]
)
def test_a_default_of_the_schema_is_that_of_the_class(keys: dict[str, Any], cls: type[Any]) -> None:
    of_class = {each.name: each.default for each in fields(cls) if each.default is not MISSING}
    of_schema = {key: one["default"] for key, one in keys.items() if "default" in one}
    assert len(of_schema) >= 2
    assert {key: of_class[key] for key in of_schema} == of_schema
