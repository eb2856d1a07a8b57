"""Context: the pipeline and the session that a run belongs to."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.validation import checks
from slither_actors.wording import shown

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, init=False)
class Context:
    """Where a run stands. Immutable; its methods return changed copies.

    Args:
        pipe: name of the pipeline, for telemetry.
        stage: name of the stage in it, for telemetry.
        session_id: text; calls of one session may find each other's data in the worker's store. None: a new one.
        stores: named stores of the caller's, for strategies and executors in this process; not sent to workers.
        metadata: facts of the caller's, likewise.
        runtime: anything of the caller's, likewise.
        generated_id: for copies; leave it alone.

    Raises:
        OptionError: a value is of a wrong type; its `option` names it.
    """

    pipe: str | None
    stage: str | None
    session_id: str
    stores: Mapping[str, Any]
    metadata: Mapping[str, Any]
    runtime: Any
    # The id that was generated, if the caller gave none: session_given stays right through dataclasses.replace, too.
    generated_id: str | None = field(repr=False, compare=False, kw_only=True)

    def __init__(
        self,
        pipe: str | None = None,
        stage: str | None = None,
        session_id: str | None = None,
        stores: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        runtime: object = None,
        *,
        generated_id: str | None = None,
    ) -> None:
        if session_id is None:
            session_id = generated_id = uuid.uuid4().hex
        else:
            session_id = _text("session_id", session_id)
        put = object.__setattr__
        put(self, "pipe", None if pipe is None else _text("pipe", pipe))
        put(self, "stage", None if stage is None else _text("stage", stage))
        put(self, "session_id", session_id)
        put(self, "stores", _read_only("stores", stores))
        put(self, "metadata", _read_only("metadata", metadata))
        put(self, "runtime", runtime)
        put(self, "generated_id", generated_id)

    @classmethod
    def new(
        cls,
        *,
        session_id: str | None = None,
        pipe: str | None = None,
        stage: str | None = None,
        stores: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        runtime: object = None,
    ) -> Context:
        """Return a Context; its session id is a new one unless given. Arguments and errors as for the class."""
        return cls(pipe, stage, session_id, stores, metadata, runtime)

    @property
    def session_given(self) -> bool:
        """Whether the caller gave the session id: only such a session returns to the worker that served it."""
        return self.session_id != self.generated_id

    def with_stage(self, stage: str | None) -> Context:
        """Return this context in another stage of the pipeline."""
        return self._with("stage", None if stage is None else _text("stage", stage))

    def put_metadata(self, key: str, value: object) -> Context:
        """Return this context with one more fact."""
        return self._with("metadata", MappingProxyType({**self.metadata, key: value}))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__}
        for name in ("stores", "metadata"):  # a read-only view has no copies
            values[name] = dict(values[name])
        return _remade, (values,)

    def _with(self, name: str, value: object) -> Context:
        changed = copy.copy(self)
        object.__setattr__(changed, name, value)
        return changed


def _remade(values: dict[str, Any]) -> Context:
    return Context(**values)


def _text(name: str, value: object) -> str:
    try:
        return checks.text(f"context {name}", value)
    except OptionError as error:
        error.option = name
        raise


def _read_only(name: str, value: object) -> Mapping[str, Any]:
    if value is None:
        return _NOTHING
    if not isinstance(value, Mapping):
        raise OptionTypeError(f"context {name} must be a mapping, not {shown(value)}", name)
    return MappingProxyType(dict(value)) if value else _NOTHING
