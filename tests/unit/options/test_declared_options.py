"""An option's declaration: its check, its schema, and the error that names it."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.ids import stable

from slither_actors import Context, OptionError, OptionTypeError, PoolSpec, Retry, UnknownCommand, UnknownPool
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import OURS, parameters_of, parse_options
from slither_actors.policies import Route
from slither_actors.run_options import RunOptions
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch
from slither_actors.validation.callbacks import check_call
from slither_actors.validation.kinds import Choice, Flag, Function, Number, Seconds, Text, Whole
from slither_actors.validation.option import (
    Kind,
    Option,
    check_fields,
    default_of,
    mapping_schema,
    option,
    options_of,
)

WORK = {"module": "m", "function": "f"}

# Of each kind some values that it takes, and some that it refuses, in a file too.
KINDS: list[tuple[Kind, list[object], list[object]]] = [
    (Whole(1, 9), [1, 9], [0, 10, 1.5, "1", True]),
    (Whole(0), [0, 10**30], [-1]),
    (Whole(0, 9, ("auto",)), [0, "auto"], [10, "automatic", None]),
    (Number(0, 1), [0, 0.5, 1], [-0.1, 1.1, "1", True]),
    (Number(above=0), [0.1, 10**6], [0, -1]),
    (Seconds(), [0.1, 1e8], [0, -1, 1e9, "1"]),
    (Seconds(zero=True, endless=True), [0], [-1, 1e9]),
    (Choice(("a", "b")), ["a", "b"], ["c", 1, None]),
    (Text(), ["a"], ["", 1, None]),
    (Flag(), [True, False], [0, 1, None]),
]


@pytest.mark.parametrize(("kind", "taken", "refused"), KINDS, ids=stable)
def test_a_kind_and_its_schema_agree(kind: Kind, taken: list[object], refused: list[object]) -> None:
    # As the reader of files does it, true is no number.
    base = jsonschema.Draft202012Validator
    numbers = base.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    schema = jsonschema.validators.extend(base, type_checker=numbers)(kind.schema())  # type: ignore[no-untyped-call]
    for value in taken:
        assert kind.check("it", value) == value
        assert schema.is_valid(value)
    for value in refused:
        with pytest.raises(OptionError, match=r"^it must ") as caught:
            kind.check("it", value)
        assert caught.value.option == "it"
        assert not schema.is_valid(value)


def test_a_function_is_checked_as_it_will_be_called() -> None:
    kind = Function(("item",), "lambda item: 1")
    assert kind.check("it", len) is len
    assert kind.schema() == {}
    for value in (3, lambda: 1):
        with pytest.raises(OptionTypeError) as caught:
            kind.check("it", value)
        assert caught.value.option == "it"


class Odd:
    def execute_batch(self) -> None: ...


@dataclass(frozen=True)
class Record:
    size: int = field(default=2, metadata=option(Whole(1, 9), "How many"))
    limit: int | None = field(default=None, metadata=option(Whole(1), "At most", none="no limit"))
    name: str = field(default="", metadata=option(Text(), "Its name", unless="that of the file"))
    mode: str | None = field(default="a", metadata=option(Choice("ab"), "How", none="either"))
    count: int | str | None = field(default=1, metadata=option(Whole(0, 9, ("all",)), "Some", none="any"))
    seen: object = field(default=None, metadata=option(None, "Looked at elsewhere", in_file=False))
    other: int = 0


def test_the_fields_of_a_record_are_checked() -> None:
    record = Record(size=3, limit=4, name="n", seen=object(), other=-1)
    check_fields(record)
    check_fields(Record(mode=None))
    for name, value in {"size": 10, "limit": 0, "name": 3, "mode": "c", "count": "some"}.items():
        given: dict[str, Any] = {name: value}
        with pytest.raises(OptionError, match=rf"^its {name} must ") as caught:
            check_fields(Record(**given), "its")
        assert caught.value.option == name


def test_a_checked_value_takes_the_place_of_the_given_one() -> None:
    numpy = pytest.importorskip("numpy")
    record = Record(size=numpy.int64(3))
    check_fields(record)
    assert type(record.size) is int


def test_the_schema_of_a_record_says_what_its_options_say() -> None:
    schema = mapping_schema(Record, "A record.")
    assert schema["description"] == "A record."
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "size": {"description": "How many.", "type": "integer", "minimum": 1, "maximum": 9, "default": 2},
        "limit": {
            "description": "At most; null: no limit.",
            "type": ["integer", "null"],
            "minimum": 1,
            "default": None,
        },
        "name": {"description": "Its name; unless given that of the file.", "type": "string", "minLength": 1},
        "mode": {"description": "How; null: either.", "enum": ["a", "b", None], "default": "a"},
        "count": {
            "description": "Some; null: any.",
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"enum": ["all"]}, {"type": "null"}],
            "errorMessage": "must be a whole number from 0 to 9, all or null",
            "default": 1,
        },
    }
    assert Option(kind=None, description="It").schema(MISSING) == {"description": "It."}


@pytest.mark.parametrize("cls", [SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition])
def test_a_class_declares_each_parameter_of_its_constructor(cls: type[Any]) -> None:
    assert set(options_of(cls)) == set(inspect.signature(cls).parameters) == set(OURS[cls])


@pytest.mark.parametrize("cls", [PoolSpec, Retry, RunOptions])
def test_every_default_is_one_that_the_check_takes(cls: type[Any]) -> None:
    for name, one in options_of(cls).items():
        default = default_of(cls, name)
        if default is not MISSING and default is not None and name not in ("max_in_flight", "prefetch"):
            assert one.check(name, default) in (default, "auto")
    assert {each.name for each in dataclasses.fields(PoolSpec)} == set(options_of(PoolSpec))


def test_the_help_of_a_record_lists_its_options() -> None:
    said = inspect.getdoc(PoolSpec) or ""
    assert "\n    max_batches: Batches after which a worker is replaced by a new one; None: never.\n" in said
    assert "\n    size: Number of workers; unless given one for each processor" in said
    assert "\n    max_attempts: Executions in all, the first included.\n" in (inspect.getdoc(Retry) or "")


@pytest.mark.parametrize(
    ("options", "option", "others"),
    [
        ({**WORK, "timeout": 0}, "timeout", ()),
        ({**WORK, "batch_size": 0}, "batch_size", ()),
        ({**WORK, "tiemout": 0}, "tiemout", ()),
        ({**WORK, "context": 3}, "context", ()),
        ({**WORK, "on_error": "skpi"}, "on_error", ()),
        ({**WORK, "strategy": KeyPartition, "key_fn": len, "linger": 1}, "linger", ()),
        ({**WORK, "strategy": KeyPartition}, "key_fn", ("strategy",)),
        ({**WORK, "strategy": WeightedBatch, "weight_fn": lambda: 1}, "weight_fn", ()),
        ({**WORK, "command": "c"}, "function", ("command",)),
        ({"module": "m"}, "function", ("module",)),
        ({"function": "f"}, "module", ("function",)),
        ({"function": "m:f"}, "function", ()),
        ({}, "executor", ()),
        ({"executor": "Snakepit"}, "executor", ()),
        ({"executor": 3}, "executor", ()),
        ({"executor": Odd()}, "executor", ()),
    ],
    ids=stable,
)
def test_an_error_names_its_option(options: dict[str, Any], option: str, others: tuple[str, ...]) -> None:
    with pytest.raises(OptionError) as caught:
        parse_options(options)
    assert (caught.value.option, caught.value.others) == (option, others)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.option, again.others, str(again)) == (option, others, str(caught.value))


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: PoolSpec(size=0), "size"),
        (lambda: PoolSpec(env={"A": 1}), "env"),  # type: ignore[dict-item]
        (lambda: PoolSpec(path=["a", ""]), "path"),
        (lambda: PoolSpec.of({"sise": 1}, "p"), "sise"),
        (lambda: PoolSpec.of({"size": 0}, "p"), "size"),
        (lambda: Retry(0), "max_attempts"),
        (lambda: Retry(then="retry"), "then"),
        (lambda: Retry(backoff=60), "backoff"),
        (lambda: Context.new(pipe=""), "pipe"),
        (lambda: Context.new(stores=3), "stores"),  # type: ignore[arg-type]
    ],
)
def test_an_error_of_a_record_names_its_field(make: Any, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        make()
    assert caught.value.option == option


def test_errors_about_names_in_a_system_name_the_option_too() -> None:
    assert UnknownPool("a", ["b"]).option == "pool"
    assert UnknownCommand("a", ["b"]).option == "command"
    with pytest.raises(OptionTypeError) as caught:
        Route("x")  # type: ignore[arg-type]
    assert caught.value.option == "fn"


def test_values_of_a_pool_come_out_as_plain_ones() -> None:
    spec = PoolSpec(path=[Path("a")], python=Path("p"))
    assert (spec.path, spec.python) == (("a",), "p")
    assert PoolSpec.of(spec, "p") is spec
    for given in ({"adapter": "scorer"}, {"restart_backoff": 3}, {"init": [1]}):
        arguments: dict[str, Any] = given
        with pytest.raises(OptionError) as caught:
            PoolSpec(**arguments)
        assert caught.value.option in given


def test_a_class_without_a_signature_has_no_options() -> None:
    assert parameters_of(dict) == {}
    check_call("fn", dict, ("item",))


def test_a_callback_without_readable_signature_is_refused_too() -> None:
    def endless() -> None: ...

    vars(endless)["__wrapped__"] = endless
    with pytest.raises(OptionTypeError, match=r"^fn is called as fn\(item\): <function"):
        check_call("fn", endless, ("item",))
