"""What must hold among the specs of one supervisor's children."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slither_actors import System
from supervisors import ChildSpec, LightActor, SpecError, Supervisor
from supervisors.supervision.spec_checks import checked_specs
from supervisors.testing import ManualScheduler

ONE = ChildSpec("one", LightActor.start)

WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "one spec": (ONE, TypeError, r"children must be a list of ChildSpecs, \[ChildSpec\(...\)\], not ChildSpec"),
    "a number": (5, TypeError, "children must be a list of ChildSpecs, .* not 5"),
    "a class": ([LightActor], TypeError, r"not a class: ChildSpec\(id=..., start=LightActor.start\)"),
    "a mapping": ([{"id": 1}], TypeError, "not a mapping"),
    "another thing": ([ONE, 5], TypeError, "a child must be a ChildSpec, not 5"),
    "one id twice": ([ONE, ONE], SpecError, "two children have the id 'one'"),
    "one name twice": (
        [ChildSpec("a", LightActor.start, register="n"), ChildSpec("b", LightActor.start, register="n")],
        SpecError,
        "'a' and 'b' both register the name 'n'",
    ),
    "significant": (
        [ChildSpec("one", LightActor.start, restart="temporary", significant=True)],
        SpecError,
        "significant, but auto_shutdown is 'never'",
    ),
}


USES: dict[str, Callable[[Any, ManualScheduler], object]] = {
    "checked_specs": lambda children, scheduler: checked_specs(children),
    "Supervisor": lambda children, scheduler: Supervisor.start(children, scheduler=scheduler),
    "System": lambda children, scheduler: System(children=children),
}


@pytest.mark.parametrize(("children", "error", "text"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_wrong_children_are_refused_when_they_are_given(
    manual: ManualScheduler, use: Callable[[Any, ManualScheduler], object], children: Any, error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        use(children, manual)


def test_a_significant_child_may_be_where_it_counts() -> None:
    significant = ChildSpec("one", LightActor.start, restart="temporary", significant=True)
    assert checked_specs(iter([significant]), "any_significant") == [significant]
