"""JSON Schema (draft 2020-12) of configurations, built from the known kinds of children.

Editors complete and check by it. Some of them show the annotation `errorMessage`, and so does `validator`: it says in
plain words what a value must be, where a message made of the keywords would be long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from supervisors.config.import_paths import DOTTED
from supervisors.supervision.child_spec import Restart
from supervisors.supervision.restart_policy import AutoShutdown, Strategy

if TYPE_CHECKING:
    from supervisors.config.child_kinds import Kind

__all__ = [
    "ACTOR_KEYS",
    "BACKOFF",
    "CHILD_KEYS",
    "MAX_SECONDS",
    "SUPERVISOR_KEYS",
    "Schema",
    "children",
    "definitions",
    "document",
    "mapping",
    "or_null",
    "seconds",
]

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SECONDS = 1e8
"""Three years. Timers and polls of the platform overflow somewhere beyond."""


def seconds(description: str, default: float | None = None, *, zero: bool = False) -> Schema:
    """Return the schema of a span of time, above 0 unless `zero`."""
    bound = {"minimum": 0} if zero else {"exclusiveMinimum": 0}
    schema = {"description": description, "type": "number", **bound, "maximum": MAX_SECONDS}
    return schema if default is None else {**schema, "default": default}


def or_null(schema: Schema) -> Schema:
    """Return the schema of the same values and null, which means "no limit"."""
    return {**schema, "type": [schema["type"], "null"]}


def mapping(description: str, properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """Return the schema of a mapping with these keys and no others."""
    schema = {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    needed = list(required)
    return {**schema, "required": needed} if needed else schema


def children(description: str) -> Schema:
    """Return the schema of a list of children of any kind."""
    return {"description": description, "type": "array", "items": {"$ref": "#/$defs/child"}}


BACKOFF = mapping(
    "Wait before restarts: not at all the first time, then `base`, `base * factor`, `base * factor**2` and so on.",
    {
        "base": seconds("Seconds before the second restart.", 0.05),
        "factor": {
            "description": "What each further wait is multiplied by.",
            "type": "number",
            "minimum": 1,
            "maximum": 1e6,
            "default": 2.0,
        },
        "maximum": seconds("Seconds that no wait exceeds.", 5.0),
        "jitter": {
            "description": "Part of each wait that is left to chance.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.0,
        },
        "reset_after": seconds("Seconds a child must have lived for its next restart to be at once again.", 5.0),
    },
)

CHILD_KEYS: dict[str, Schema] = {
    "id": {"description": "Its name among its siblings.", "type": "string", "minLength": 1},
    "restart": {
        "description": "permanent: always. transient: unless it ended normally or was shut down. temporary: never.",
        "enum": list(get_args(Restart)),
        "default": "permanent",
    },
    "shutdown": {
        "description": "Seconds between being asked to end and being killed; brutal_kill: not asked; infinity: never "
        "killed. Unless given 5 for an actor and infinity for a supervisor.",
        "anyOf": [{"type": "number", "minimum": 0, "maximum": MAX_SECONDS}, {"enum": ["brutal_kill", "infinity"]}],
        "errorMessage": f"must be seconds from 0 to {MAX_SECONDS:,.0f}, or one of brutal_kill, infinity",
    },
    "significant": {
        "description": "Its own end may stop its supervisor (see `auto_shutdown`); not for permanent children.",
        "type": "boolean",
        "default": False,
    },
    "register": {
        "description": "A name under which others find whichever actor runs as this child; unique in the whole file, "
        "and the child's own across restarts.",
        "type": "string",
        "minLength": 1,
    },
    "start_timeout": seconds("Seconds in which it must have started, or it is killed and its start has failed."),
}

ACTOR_KEYS: dict[str, Schema] = {
    "class": {
        "description": "Where its class is, as `package.module:Name`: a `LightActor`, a `DaemonActor` or a plain "
        "`pykka.ThreadingActor`.",
        "type": "string",
        "pattern": DOTTED,
        "errorMessage": "must be of the form package.module:Name",
    },
    "args": {
        "description": "Positional arguments of its class; each start gets a copy.",
        "type": "array",
        "default": [],
    },
    "kwargs": {
        "description": "Keyword arguments of its class; each start gets a copy.",
        "type": "object",
        "default": {},
    },
}

SUPERVISOR_KEYS: dict[str, Schema] = {
    "strategy": {
        "description": "Which children are restarted when one died: one_for_one: it alone. one_for_all: all. "
        "rest_for_one: those after it.",
        "enum": list(get_args(Strategy)),
        "default": "one_for_one",
    },
    "max_restarts": {
        "description": "Restarts within `max_seconds` that it survives; null: any number.",
        "type": ["integer", "null"],
        "minimum": 0,
        "default": 3,
    },
    "max_seconds": seconds("The window of `max_restarts`.", 5.0),
    "auto_shutdown": {
        "description": "Whether it ends when significant children have ended by themselves: any of them, or all.",
        "enum": list(get_args(AutoShutdown)),
        "default": "never",
    },
    "restart_backoff": BACKOFF,
    "children": children("Its children, in start order."),
}


def definitions(kinds: Iterable[Kind], note: str = "") -> Schema:
    """Return the `$defs` for children of these kinds; `note` is added to the message about an unknown kind."""
    known = list(kinds)
    names = [each.name for each in known]
    kind: Schema = {"description": "What it is; decides which other keys there are.", "enum": names}
    if note:
        kind["errorMessage"] = f"must be one of {', '.join(names)} ({note})"
    child: Schema = {
        "description": "A child of a supervisor.",
        "type": "object",
        "properties": {"kind": kind},
        "required": ["kind", "id"],
        # Not oneOf: an error of `then` is about the child's keys, one of oneOf says only that it is no kind at all.
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": each.name}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{each.name}"},
            }
            for each in known
        ],
    }
    made = {
        each.name: mapping(
            each.description,
            {"kind": {"const": each.name}, **CHILD_KEYS, **each.properties},
            ["kind", "id", *each.required],
        )
        for each in known
    }
    return {"child": child, **made}


def document(title: str, body: Schema, kinds: Iterable[Kind], note: str = "") -> Schema:
    """Return the schema of a whole file."""
    return {"$schema": DIALECT, "title": title, **body, "$defs": definitions(kinds, note)}
