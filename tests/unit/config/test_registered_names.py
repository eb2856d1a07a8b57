"""Names that a System's file gives to its actors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slither_actors import System
from supervisors import NotRegistered

pytestmark = pytest.mark.usefixtures("modules")


def test_a_systems_registry_has_the_names_of_its_file(tmp_path: Path, eventually: Callable[..., None]) -> None:
    path = tmp_path / "slither.yaml"
    path.write_text(
        "pools: {default: {size: 1}}\ntree:\n  - {kind: actor, id: a, class: 'trial_actors:Light', register: clerk}\n"
    )
    with System.from_yaml(path) as system:
        first = system.registry.lookup("clerk")
        assert first is system.actor("a")
        first.tell("die")
        eventually(lambda: system.registry.whereis("clerk") not in (None, first))
        assert system.registry.lookup("clerk") is system.actor("a")
    with pytest.raises(NotRegistered):
        system.registry.lookup("clerk")
