"""The names by which a worker imports a function."""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.validation import checks
from slither_actors.wording import shown

_BY_NAME = "module='package.module', function='name'"


def check_names(module: object, function: object) -> tuple[str, str]:
    """Return the names of a module and of a function in it, checked.

    Raises:
        OptionError: one of them is missing or is no name; the message says how to write it.
    """
    if not isinstance(function, str):
        raise OptionTypeError(f"function must be a name or a function, not {shown(function)}", "function")
    checks.text("function", function)
    if ":" in function:
        before, _, after = function.partition(":")
        raise OptionError(
            f"function must be a name, not {function!r}; say module={before!r}, function={after!r}", "function"
        )
    if not _dotted(function):
        raise OptionError(
            f"function must be a name such as 'predict' or 'Model.predict', not {shown(function)}", "function"
        )
    if module is None:
        before, _, after = function.rpartition(".")
        remedy = f"; say module={before!r}, function={after!r}" if before else f"; say {_BY_NAME}"
        raise OptionError(
            f"function {function!r} is a name, so module must say where it is{remedy}", "module", "function"
        )
    if isinstance(module, ModuleType):
        raise OptionTypeError(f"module must be its name, {module.__name__!r}, not the module itself", "module")
    module = checks.text("module", module)
    if module == "__main__":
        raise OptionError(
            f"module cannot be '__main__', which is another one in a worker; {_move('the function')}", "module"
        )
    if module.endswith(".py"):
        raise OptionError(
            f"module must be a dotted name, not the file {shown(module)}; leave out '.py' and put its folder into "
            "the pool's path: PoolSpec(path=[...])",
            "module",
        )
    if not _dotted(module):
        raise OptionError(f"module must be a dotted name such as 'package.module', not {shown(module)}", "module")
    return module, function


def name_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the names by which a worker can import a function.

    Raises:
        OptionError: it cannot; the message says why and what to do about it.
    """
    if isinstance(function, (functools.partial, functools.partialmethod)):
        raise _refused(function, "is a partial, and what it binds does not travel", "write a function that calls it so")
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, (type, ModuleType)):
        raise _refused(
            function,
            f"is a method of an object ({shown(owner, 40)}), which does not travel",
            "use a function of a module, or an Adapter with a @command",
        )
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    module = getattr(function, "__module__", None) or getattr(
        getattr(function, "__objclass__", None), "__module__", None
    )
    if not isinstance(name, str) or not isinstance(module, str):
        raise _refused(function, "has no name that a worker could import", f"say where it is by name: {_BY_NAME}")
    if "<lambda>" in name:
        raise _refused(function, "is a lambda", "write it with def, at the top level of a module")
    if "<locals>" in name:
        raise _refused(function, "is defined inside another function", "move it to the top level of a module")
    if module == "__main__":
        raise _refused(function, "is defined in '__main__', which is another one in a worker", _move("it"))
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        raise _refused(
            function, f"is not found as {name!r} in module {module!r}", f"say where it is by name: {_BY_NAME}"
        ) from None
    if found is not function and found != function:  # a classmethod is a new object each time it is looked up
        raise _refused(
            function,
            f"is not what {module}:{name} is, perhaps because that was decorated or replaced",
            f"say which is meant by name: {_BY_NAME}",
        )
    return module, name


def _refused(function: object, why: str, remedy: str) -> OptionError:
    return OptionError(f"function {shown(function)} {why}, so workers cannot import it; {remedy}", "function")


def _move(what: str) -> str:
    return (
        f"move {what} to a module of its own, and put that module's folder into the pool's path, "
        "PoolSpec(path=[...]), if it is not there"
    )


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
