"""Context: what a run knows of the pipeline and the session that it belongs to."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from slither_actors.errors import OptionTypeError
from slither_actors.validation import checks
from slither_actors.wording import shown


@dataclass(frozen=True, slots=True)
class Context:
    """Where a run stands. Immutable; what changes one gives a new one.

    Args:
        pipe: name of the pipeline, for telemetry.
        stage: name of the stage in it, for telemetry.
        session_id: text; calls of one session may find each other's data in the worker's store. None: a new one.
        stores: named stores of the caller's, for strategies and executors in this process; not sent to workers.
        metadata: facts of the caller's, likewise.
        runtime: anything of the caller's, likewise.
        generated_id: for copies; leave it alone.

    Raises:
        OptionError: a value is of a wrong type; the message names it.
    """

    pipe: str | None = None
    stage: str | None = None
    session_id: str = None  # type: ignore[assignment]  # None is replaced at once: readers never see it
    stores: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    runtime: Any = None
    # The id that was made here and not given, if so: session_given stays right through dataclasses.replace, too.
    generated_id: str | None = field(default=None, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("pipe", "stage"):
            if getattr(self, name) is not None:
                checks.text(f"context {name}", getattr(self, name))
        session_id: Any = self.session_id
        if session_id is None:
            generated = uuid.uuid4().hex
            object.__setattr__(self, "session_id", generated)
            object.__setattr__(self, "generated_id", generated)
        else:
            object.__setattr__(self, "session_id", checks.text("context session_id", session_id))
        for name in ("stores", "metadata"):
            object.__setattr__(self, name, _read_only(name, getattr(self, name)))

    @classmethod
    def new(
        cls,
        *,
        session_id: str | None = None,
        pipe: str | None = None,
        stage: str | None = None,
        stores: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        runtime: Any = None,
    ) -> Context:
        """A Context; its session id is a new one unless given. Arguments and errors as for the class."""
        return cls(pipe, stage, session_id, stores or {}, metadata or {}, runtime)  # type: ignore[arg-type]

    @property
    def session_given(self) -> bool:
        """Whether the session id is the caller's own: only such a session is led back to the worker that served it."""
        return self.session_id != self.generated_id

    def with_stage(self, stage: str | None) -> Context:
        """This context in another stage of the pipeline."""
        if stage is not None:
            checks.text("context stage", stage)
        return self._with("stage", stage)

    def put_metadata(self, key: str, value: Any) -> Context:
        """This context with one more fact."""
        return self._with("metadata", MappingProxyType({**self.metadata, key: value}))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__}
        for name in ("stores", "metadata"):  # a read-only view has no copies
            values[name] = dict(values[name])
        return _remade, (values,)

    def _with(self, name: str, value: Any) -> Context:
        changed = copy.copy(self)
        object.__setattr__(changed, name, value)
        return changed


def _remade(values: dict[str, Any]) -> Context:
    return Context(**values)


def _read_only(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionTypeError(f"context {name} must be a mapping, not {shown(value)}")
    return MappingProxyType(dict(value))
