from __future__ import annotations

import dataclasses
import json
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.context import Context
from slither_actors.errors import OptionError, OptionTypeError, UnknownOption
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import parse_options
from slither_actors.policies import HALT, SKIP, Retry
from slither_actors.run_options import NOT_GIVEN, RunOptions
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch

WORK = {"module": "m", "function": "f"}


class Inline:
    def execute_batch(self, batch, context, options):
        return batch


class Remote:
    def __init__(self, *, pool=None, speed=1):
        self.pool = pool
        self.speed = speed

    def request(self, batch, context, options): ...
    def results(self, batch, reply): ...


class Ends(Strategy):
    def __init__(self, *, mark="."):
        self.mark = mark

    def add(self, item):
        return ()

    def flush(self):
        return ()


class Anything(Ends):
    def __init__(self, **options):
        super().__init__()
        self.options = options


def parse(**options):
    return parse_options(options)


def test_the_defaults_are_these():
    options = parse(**WORK)
    assert type(options.executor) is SnakeBridge
    assert type(options.strategy) is FixedBatch
    assert options.context.session_given is False
    values = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    for name in ("executor", "strategy", "context"):
        del values[name]
    assert values == {
        "max_in_flight": NOT_GIVEN,
        "prefetch": NOT_GIVEN,
        "in_flight_given": False,
        "max_in_flight_bytes": None,
        "ordering": "preserve",
        "on_error": HALT,
        "timeout": 30.0,
        "timeout_given": False,
        "batch_timeout": None,
        "deadline": None,
        "on_abandon": "finish",
        "batch_timeout_given": False,
        "linger": None,
        "pool": None,
        "affinity": None,
        "inline": False,
        "prefetch_given": False,
        "ready": False,
    }
    assert options.batch_size == 64


def test_what_is_given_is_taken():
    context = Context.new(session_id="s")
    options = parse(
        **WORK,
        each=True,
        pool="gpu",
        affinity="strict",
        batch_size=32,
        max_in_flight=2,
        prefetch=0,
        max_in_flight_bytes=10**9,
        ordering="as_completed",
        on_error="skip",
        timeout=5,
        linger=0.5,
        context=context,
    )
    assert options.executor.target == ("m", "f", True)
    assert (options.executor.pool, options.pool, options.affinity) == ("gpu", "gpu", "strict")
    assert (options.batch_size, options.max_in_flight, options.prefetch) == (32, 2, 0)
    assert (options.ordering, options.on_error, options.timeout, options.linger) == ("as_completed", SKIP, 5.0, 0.5)
    assert options.context is context


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(**WORK).timeout = 3  # type: ignore[misc]


def test_prefetch_follows_max_in_flight():
    assert parse(**WORK, max_in_flight=2).prefetch == 6


def test_none_as_batch_size_is_the_strategys_own():
    assert parse(**WORK, batch_size=None).batch_size == 64
    assert parse(**WORK, strategy=WeightedBatch, batch_size=None).batch_size is None


def test_the_executor_follows_from_the_option_that_only_it_has():
    assert type(parse(command="c").executor) is Snakepit
    assert type(parse(function=json.dumps).executor) is SnakeBridge
    with pytest.raises(OptionError, match="give one of them"):
        parse(command="c", function="f")
    with pytest.raises(OptionError, match="executor is not given"):
        parse()
    with pytest.raises(OptionError, match="is 'comand' meant as 'command'"):
        parse(comand="c")


def test_a_module_without_a_function_is_refused():
    with pytest.raises(OptionError, match=r"^function is not given: module='m' .*say module='m', function='name'$"):
        parse(module="m")
    with pytest.raises(OptionError, match="SnakeBridge needs the option function"):
        parse(module="m", executor=SnakeBridge)
    with pytest.raises(OptionError, match="is 'functoin' meant as 'function'"):
        parse(module="m", functoin="f")


def test_executor_and_strategy_may_be_instances():
    executor, strategy = SnakeBridge(module="m", function="f", pool="gpu"), WeightedBatch(max_weight=5)
    options = parse(executor=executor, strategy=strategy)
    assert options.executor is executor
    assert options.strategy is strategy
    assert options.pool == "gpu"


def test_a_pool_given_for_the_run_goes_before_the_instances_own():
    executor = SnakeBridge(module="m", function="f", pool="gpu", affinity="hint")
    options = parse(executor=executor, pool="cpu", affinity="none")
    assert (options.pool, options.affinity) == ("cpu", "none")


def test_parameters_of_custom_classes_are_options():
    options = parse(executor=Remote, speed=3, pool="p", strategy=Ends, mark="!")
    assert (options.executor.speed, options.executor.pool, options.pool, options.strategy.mark) == (3, "p", "p", "!")


def test_a_class_with_any_options_gets_the_unclaimed_ones():
    options = parse(executor=Remote, speed=3, strategy=Anything, colour="red", batch_size=3)
    assert options.strategy.options == {"colour": "red", "batch_size": 3}
    assert options.executor.speed == 3


def test_an_inline_executor_is_known_as_such_and_has_no_pool():
    assert parse(executor=Inline).inline
    assert parse(executor=Inline()).inline
    assert not parse(executor=Remote).inline
    with pytest.raises(OptionError, match="pool has no meaning with Inline, which executes in this process"):
        parse(executor=Inline, pool="gpu")
    with pytest.raises(OptionError, match="affinity has no meaning with Inline"):
        parse(executor=Inline, affinity="strict")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tiemout": 3}, r"unknown option 'tiemout', did you mean 'timeout'\?; known: affinity, batch_size, "),
        ({"colour": 3}, "unknown option 'colour'; known: "),
        ({"comand": "c"}, r"unknown option 'comand': is command meant\?"),
        ({"weight_fn": len}, "an option of WeightedBatch, and the strategy is FixedBatch; say strategy=WeightedBatch"),
        ({"key_fn": len, "strategy": WeightedBatch}, "an option of KeyPartition, and the strategy is WeightedBatch"),
        ({"executor": Snakepit, "command": "c"}, "an option of SnakeBridge, and the executor is Snakepit"),
        ({"strategy": Ends, "batch_size": 4}, "unknown option 'batch_size': Ends takes no batch_size"),
        ({"strategy": FixedBatch(3), "batch_size": 4}, r"given as an instance.* say FixedBatch\(batch_size=\.\.\.\)"),
        ({"strategy": WeightedBatch(), "max_weight": 4}, r"say WeightedBatch\(max_weight=\.\.\.\) instead"),
        ({"inline": True}, "unknown option 'inline'"),
        ({"": 1}, "unknown option ''"),
    ],
)
def test_an_unknown_option_comes_with_what_was_perhaps_meant(options, message):
    with pytest.raises(UnknownOption, match=message):
        parse_options({**WORK, **options})


def test_an_unknown_option_has_the_known_ones_as_attribute():
    with pytest.raises(UnknownOption) as caught:
        parse(**WORK, colour=1)
    assert caught.value.name == "colour"
    assert set(caught.value.known) == {
        "executor",
        "module",
        "function",
        "each",
        "pool",
        "affinity",
        "strategy",
        "batch_size",
        "max_in_flight",
        "prefetch",
        "max_in_flight_bytes",
        "ordering",
        "on_error",
        "timeout",
        "batch_timeout",
        "deadline",
        "on_abandon",
        "linger",
        "context",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"batch_size": True}, "batch_size must be a whole number, not True"),
        ({"batch_size": 1.0}, r"batch_size must be a whole number, not 1\.0"),
        ({"batch_size": "64"}, "batch_size must be a whole number, not '64'"),
        ({"batch_size": 2**32}, "batch_size must be at most 4294967295"),
        ({"max_in_flight": 0}, "max_in_flight must be at least 1, not 0"),
        ({"max_in_flight": "4"}, "max_in_flight must be a whole number, not '4'"),
        ({"max_in_flight": 10**12}, "max_in_flight must be at most"),
        ({"prefetch": -1}, "prefetch must be at least 0, not -1"),
        ({"prefetch": False}, "prefetch must be a whole number, not False"),
        ({"max_in_flight_bytes": 0}, "max_in_flight_bytes must be at least 1, not 0"),
        ({"ordering": "preserved"}, "ordering must be one of 'preserve', 'as_completed', not 'preserved'.*'preserve'"),
        ({"ordering": None}, "ordering must be one of"),
        ({"on_error": "retry"}, r"say Retry\(\.\.\.\)"),
        ({"timeout": 0}, "timeout must be above 0 seconds, not 0; None: no limit"),
        ({"timeout": -1.5}, r"timeout must be above 0 seconds, not -1\.5"),
        ({"timeout": math.nan}, "timeout must be a number of seconds that is finite, not nan"),
        ({"timeout": math.inf}, "timeout must be finite, not inf; say timeout=None for no limit"),
        ({"timeout": True}, "timeout must be a number of seconds, not True"),
        ({"timeout": "30"}, "timeout must be a number of seconds, not '30'"),
        ({"timeout": 10**400}, "timeout must be a number of seconds that is finite"),
        ({"timeout": 1e9}, r"timeout must be at most 1e\+08 seconds"),
        ({"linger": -1}, "linger must be at least 0 seconds, not -1"),
        ({"linger": math.inf}, "say linger=None for no limit"),
        ({"context": "s"}, r"context must be a Context, not 's'; say Context\.new\(session_id=\.\.\.\)"),
        ({"context": Context}, "context must be a Context, not <class"),
        ({"pool": 3}, "pool must be text, not 3"),
        ({"pool": ""}, "pool must not be empty"),
        ({"affinity": "sticky"}, "affinity must be one of 'none', 'hint', 'strict', 'fail_fast', not 'sticky'"),
        ({"each": 1}, "each must be True or False, not 1"),
        ({"strategy": KeyPartition}, r"KeyPartition needs the option key_fn: strategy=KeyPartition, key_fn=\.\.\."),
        ({"strategy": KeyPartition, "key_fn": len, "linger": 1}, "linger has no meaning with KeyPartition"),
        ({"strategy": "WeightedBatch"}, "from slither_actors.strategies import WeightedBatch"),
        ({"strategy": dict}, r"strategy must be a Strategy, not <class 'dict'>; subclass"),
        ({"strategy": 64}, "strategy must be a Strategy, not 64"),
        ({"executor": "snake bridge"}, "from slither_actors.executors import SnakeBridge"),
        ({"strategy": "weighted"}, "did you mean WeightedBatch.* from slither_actors.strategies import Wei"),
        ({"strategy": "fixed_batch"}, "did you mean FixedBatch.* say strategy=FixedBatch"),
        ({"strategy": "keyed"}, "did you mean KeyPartition"),
        ({"strategy": "wieghted"}, "did you mean WeightedBatch"),
        ({"strategy": "Mine"}, "not the text 'Mine'; known: FixedBatch, WeightedBatch, KeyPartition; from"),
        ({"strategy": "slither_actors.strategies.keyed"}, "did you mean KeyPartition"),
        ({"executor": "snakepit"}, "did you mean Snakepit.* from slither_actors.executors import Snakepit, and"),
        ({"executor": "subprocess"}, "known: SnakeBridge, Snakepit; from slither_actors.executors import"),
        ({"executor": object()}, r"execute_batch\(\) \(an InlineExecutor\), <object .* has neither"),
        ({"executor": 3}, "3 has neither"),
        ({"executor": type("Both", (Inline, Remote), {})}, "has both of them"),
        ({"strategy": WeightedBatch, "max_weight": 0}, "max_weight must be above 0, not 0"),
    ],
)
def test_a_bad_value_is_refused_by_name(options, message):
    with pytest.raises(OptionError, match=message):
        parse_options({**WORK, **options})


def test_a_strategy_instance_serves_one_run():
    strategy = FixedBatch(3)
    parse(**WORK, strategy=strategy)
    with pytest.raises(OptionError, match="this FixedBatch serves another run already; give the class, or a new"):
        parse(**WORK, strategy=strategy)


def test_a_refused_call_does_not_use_up_a_strategy():
    strategy = FixedBatch(3)
    with pytest.raises(OptionError):
        parse(**WORK, strategy=strategy, timeout=0)
    parse(**WORK, strategy=strategy)


def test_of_two_calls_at_once_only_one_gets_a_strategy_instance():
    strategy, barrier = FixedBatch(3), threading.Barrier(4)
    taken = []

    def call():
        barrier.wait(10)
        try:
            taken.append(parse(**WORK, strategy=strategy))
        except OptionError:
            pass

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(taken) == 1


def test_a_class_of_strategy_is_made_anew_for_each_run():
    assert parse(**WORK, strategy=FixedBatch).strategy is not parse(**WORK, strategy=FixedBatch).strategy


def test_what_is_given_to_parse_options_is_left_alone():
    given_options = {**WORK, "batch_size": 3}
    parse_options(given_options)
    assert given_options == {**WORK, "batch_size": 3}


def test_numbers_of_other_libraries_are_taken_as_pythons():
    numpy = pytest.importorskip("numpy")
    options = parse(**WORK, batch_size=numpy.int64(5), timeout=numpy.float32(0.5), max_in_flight=numpy.uint8(3))
    assert (options.batch_size, options.timeout, options.max_in_flight) == (5, 0.5, 3)
    assert {type(options.batch_size), type(options.timeout), type(options.max_in_flight)} == {int, float}


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.just([]),
    st.just({}),
    st.just(len),
    st.just(object),
    st.just(object()),
    st.complex_numbers(),
    st.just(Retry),
)


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in dataclasses.fields(RunOptions)] + ["batch_size", "each", "weight_fn", "nme"]),
        ODD,
        max_size=3,
    )
)
def test_any_options_give_a_record_or_an_option_error(options):
    try:
        result = parse_options({**WORK, **options})
    except OptionError as error:
        assert str(error)  # noqa: PT017
    else:
        result.settle(2)
        assert result.max_in_flight >= 1
        assert result.prefetch >= 0
        assert result.timeout is None or 0 < result.timeout < math.inf


def test_the_record_can_be_made_directly_and_checks_too():
    made = RunOptions(executor=Inline(), strategy=FixedBatch())
    assert made.prefetch == 24
    with pytest.raises(OptionTypeError, match="max_in_flight"):
        RunOptions(executor=Inline(), strategy=FixedBatch(), max_in_flight="8")  # type: ignore[arg-type]
