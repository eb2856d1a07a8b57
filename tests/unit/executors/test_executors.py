from __future__ import annotations

import functools
import json
import math
import operator
import sys
import types

import pytest

from slither_actors.context import Context
from slither_actors.errors import OptionError, OptionTypeError, UnexpectedResponse
from slither_actors.executors import Call, Command, InlineExecutor, RemoteExecutor, SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.option_parsing import parse_options

BATCH = [Item("a", 1, {"k": "v"}), Item("b", 2)]


class Calculator:
    def method(self, payloads): ...

    @classmethod
    def of_class(cls, payloads): ...

    @staticmethod
    def static(payloads): ...

    def __call__(self, payloads): ...


def plain(payloads): ...


@functools.wraps(plain)
def wrapper(payloads): ...


def options(**given):
    return parse_options(given)


def test_snakebridge_calls_a_function_with_the_payloads():
    executor = SnakeBridge(module="pkg.mod", function="Model.predict", each=True)
    request = executor.request(BATCH, Context.new(), options(executor=executor))
    assert request == Call("pkg.mod", "Model.predict", True, [1, 2])
    assert executor.target == ("pkg.mod", "Model.predict", True)


def test_snakepit_sends_the_payloads_as_items_of_a_mapping():
    executor = Snakepit(command="score")
    assert executor.request(BATCH, Context.new(), options(executor=executor)) == Command("score", {"items": [1, 2]})


@pytest.mark.parametrize(
    ("executor", "reply"),
    [(SnakeBridge(module="m", function="f"), [10, 20]), (Snakepit(command="c"), {"items": [10, 20], "more": 1})],
)
def test_results_are_the_items_with_new_payloads(executor, reply):
    assert list(executor.results(BATCH, reply)) == [Item("a", 10, {"k": "v"}), Item("b", 20)]


@pytest.mark.parametrize("reply", [[1], [1, 2, 3], None, {"a": 1}, "ab"])
@pytest.mark.parametrize("executor", [SnakeBridge(module="m", function="f"), Snakepit(command="c")])
def test_another_number_of_results_is_an_unexpected_response(executor, reply):
    with pytest.raises(UnexpectedResponse):
        executor.results(BATCH, reply)


def test_an_unexpected_response_has_both_numbers():
    with pytest.raises(UnexpectedResponse, match="2 items went out, 1 results came back") as caught:
        SnakeBridge(module="m", function="f").results(BATCH, [1])
    assert (caught.value.expected, caught.value.got) == (2, 1)


def test_the_executors_have_the_behaviour_of_a_remote_one():
    for executor in (SnakeBridge(module="m", function="f"), Snakepit(command="c")):
        assert isinstance(executor, RemoteExecutor)
        assert not isinstance(executor, InlineExecutor)


@pytest.mark.parametrize(
    ("function", "module", "name"),
    [
        (json.dumps, "json", "dumps"),
        (len, "builtins", "len"),
        (int, "builtins", "int"),
        (str.upper, "builtins", "str.upper"),
        (math.sqrt, "math", "sqrt"),
        (operator.neg, "_operator", "neg"),
        (plain, __name__, "plain"),
        (Calculator, __name__, "Calculator"),
        (Calculator.of_class, __name__, "Calculator.of_class"),
        (Calculator.static, __name__, "Calculator.static"),
    ],
)
def test_an_importable_function_is_found_by_its_names(function, module, name):
    assert SnakeBridge(function=function).target == (module, name, False)


class _Holder:
    lambda_one = lambda payloads: payloads  # noqa: E731


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda payloads: payloads, "is a lambda, so workers cannot import it; write it with def, at the top level"),
        (functools.partial(plain, 1), "is a partial"),
        ([].append, r"is a method of an object \(\[\]\)"),
        (Calculator().method, "is a method of an object"),
        (Calculator(), r"has no name that a worker could import, .*; say where it is by name: module="),
        (wrapper, r"is not what .*:plain is, perhaps because that was decorated or replaced"),
        (_Holder.lambda_one, "is a lambda"),
    ],
)
def test_a_function_without_an_import_path_is_refused(function, message):
    with pytest.raises(OptionError, match=message):
        SnakeBridge(function=function)


def test_a_function_inside_a_function_is_refused():
    def local(payloads): ...

    with pytest.raises(OptionError, match=r"defined inside another function, .*; move it to the top level"):
        SnakeBridge(function=local)


def test_a_function_of_the_main_module_is_refused(monkeypatch):
    def script(payloads): ...

    script.__module__, script.__qualname__ = "__main__", "script"
    monkeypatch.setattr(sys.modules["__main__"], "script", script, raising=False)
    with pytest.raises(OptionError, match=r"defined in '__main__', which is another one in a worker.*; move it to a"):
        SnakeBridge(function=script)
    with pytest.raises(OptionError, match="module cannot be '__main__'"):
        SnakeBridge(module="__main__", function="script")


def test_a_function_of_a_renamed_module_is_refused():
    module = types.ModuleType("nowhere_to_be_found")
    exec("def f(payloads): ...", module.__dict__)
    with pytest.raises(OptionError, match="is not found as 'f' in module 'nowhere_to_be_found'"):
        SnakeBridge(function=module.f)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": "f"}, "function 'f' is a name, so module must say where it is; say module='package.module'"),
        ({"function": "pkg.mod.f"}, r"say module='pkg\.mod', function='f'"),
        ({"function": "pkg.mod:f"}, r"say module='pkg\.mod', function='f'"),
        ({"function": "f()", "module": "m"}, r"function must be a name such as 'predict' or .*, not 'f\(\)'"),
        ({"function": "", "module": "m"}, "function must not be empty"),
        ({"function": 3, "module": "m"}, "function must be a name or a function, not 3"),
        ({"function": "f", "module": "m.py"}, r"leave out '\.py' and put its folder into the pool's path"),
        ({"function": "f", "module": "a/b"}, "module must be a dotted name"),
        ({"function": "f", "module": "a..b"}, "module must be a dotted name"),
        ({"function": "f", "module": ""}, "module must not be empty"),
        ({"function": "f", "module": json}, "module must be its name, 'json', not the module itself"),
        ({"function": "f", "module": 3}, "module must be text, not 3"),
        ({"function": plain, "module": "m"}, "so leave module='m' out"),
        ({"function": "f", "module": "m", "each": "yes"}, "each must be True or False, not 'yes'"),
        ({"function": "f", "module": "m", "pool": 1}, "pool must be text, not 1"),
        ({"function": "f", "module": "m", "affinity": "stict"}, "did you mean 'strict'"),
        ({"function": "f", "module": "m", "affinity": True}, "affinity must be one of"),
    ],
)
def test_a_bad_option_of_snakebridge_is_refused_with_the_remedy(arguments, message):
    with pytest.raises(OptionError, match=message):
        SnakeBridge(**arguments)


@pytest.mark.parametrize("command", [None, 3, "", plain])
def test_a_bad_command_is_refused(command):
    with pytest.raises(OptionError, match="command must"):
        Snakepit(command=command)


def test_a_function_that_was_replaced_in_its_module_is_refused(monkeypatch):
    original = json.dumps
    monkeypatch.setattr(json, "dumps", lambda value: "")
    with pytest.raises(OptionError, match="is not what json:dumps is"):
        SnakeBridge(function=original)


def test_a_universal_function_of_numpy_is_found_or_refused():
    numpy = pytest.importorskip("numpy")
    try:
        assert SnakeBridge(function=numpy.sqrt).function == "sqrt"
    except OptionError as error:
        assert "by name" in str(error)  # noqa: PT017


def test_type_errors_are_distinguished():
    with pytest.raises(OptionTypeError):
        SnakeBridge(module="m", function=3)  # type: ignore[arg-type]
