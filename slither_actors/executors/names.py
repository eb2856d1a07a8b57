"""The names by which a worker imports a function."""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

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


class NotImportable(NamedTuple):
    """Why workers cannot import a function."""

    why: str
    remedy: str | None = None
    """What to do; None: say which function is meant by its names."""
    of_an_object: bool = False
    """Whether it is more than code: it holds an object, or is one."""


def name_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the names by which a worker can import a function.

    Raises:
        OptionError: it cannot; the message says why and what to do about it.
    """
    found = find_names(function)
    if isinstance(found, NotImportable):
        remedy = found.remedy or f"say where it is by name: {_BY_NAME}"
        raise OptionError(f"function {shown(function)} {found.why}, so workers cannot import it; {remedy}", "function")
    return found


def find_names(function: Callable[..., Any]) -> tuple[str, str] | NotImportable:
    """Return the names by which a worker can import a function, or why it cannot."""
    if isinstance(function, (functools.partial, functools.partialmethod)):
        return NotImportable(
            "is a partial, and what it binds does not travel", "write a function that calls it so", of_an_object=True
        )
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, (type, ModuleType)):
        return NotImportable(
            f"is a method of an object ({shown(owner, 40)}), which does not travel",
            "use a function of a module, or an Adapter with a @command",
            of_an_object=True,
        )
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    module = getattr(function, "__module__", None) or getattr(
        getattr(function, "__objclass__", None), "__module__", None
    )
    if not isinstance(name, str) or not isinstance(module, str):
        return NotImportable("has no name that a worker could import", of_an_object=True)
    if "<lambda>" in name:
        return NotImportable("is a lambda", "write it with def, at the top level of a module")
    if "<locals>" in name:
        return NotImportable("is defined inside another function", "move it to the top level of a module")
    if module == "__main__":
        return NotImportable("is defined in '__main__', which is another one in a worker", _move("it"))
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        return NotImportable(f"is not found as {name!r} in module {module!r}")
    if found is not function and found != function:  # a classmethod is a new object each time it is looked up
        return NotImportable(f"is not what {module}:{name} is, perhaps because that was decorated or replaced")
    return module, name


def _move(what: str) -> str:
    return (
        f"move {what} to a module of its own, and put that module's folder into the pool's path, "
        "PoolSpec(path=[...]), if it is not there"
    )


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
