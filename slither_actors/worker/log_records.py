"""What a worker's code logs goes to the host's `logging`, with level, name, lines and traceback.

Nothing is loaded for that: most workers never log, and importing `logging` takes milliseconds. It stands in the place
of `logging.lastResort`, which gets what no handler takes: as soon as the worker's code configures logging itself, its
own handlers are all there is. Two things that `logging` takes for a configuration are none here, see :func:`_take`. The
root logger gets no handler, as code asks it whether logging is configured.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from logging import Handler, Logger, LogRecord
    from types import ModuleType
    from typing import Any


def watch(levels: str = "") -> None:
    """Take the records of this process, from the moment that it has `logging`.

    Args:
        levels: what the host has set, see :data:`slither_actors.wire.log_lines.LEVELS`.
    """
    if "logging" in sys.modules:
        _install(sys.modules["logging"], levels)
    else:
        sys.meta_path.insert(0, _Watch(levels))


class _Watch:
    """A finder that finds nothing but the moment in which `logging` is imported."""

    def __init__(self, levels: str) -> None:
        self._levels = levels

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "logging":
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._levels)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """The loader of `logging`, and what is done as soon as it has loaded it."""

    def __init__(self, loader: Any, levels: str) -> None:
        self._loader = loader
        self._levels = levels

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _install(module, self._levels)


def _install(logging: Any, levels: str) -> None:
    from slither_actors.wire.log_lines import pack

    class ToHost(logging.Handler):  # type: ignore[misc]
        """Writes each record as one line that the host makes a record of again."""

        def emit(self, record: Any) -> None:
            try:
                trace = record.exc_text or ""
                if record.exc_info and not trace:
                    trace = logging.Formatter().formatException(record.exc_info)
                data = memoryview(
                    pack(
                        (
                            record.levelno,
                            str(record.name),
                            record.getMessage(),
                            trace,
                            record.created,
                            str(record.pathname),
                            str(record.funcName),
                            int(record.lineno),
                            str(record.threadName),
                            str(record.stack_info or ""),
                        )
                    )
                )
                while data:
                    data = data[os.write(2, data) :]
            except Exception:
                self.handleError(record)

    if logging.lastResort is not None:
        _take(logging, ToHost())
    if levels:
        import json

        for name, level in json.loads(levels).items():
            logger = logging.getLogger(name or None)
            if logger.level == (logging.NOTSET if name else logging.WARNING):
                logger.setLevel(level)


def _take(logging: ModuleType, to_host: Handler) -> None:
    """Give a handler what no other one takes, as long as it is the last resort.

    As long as the root logger has no handler, a `NullHandler` takes nothing: libraries give one to their loggers. And
    `logging.error(...)` configures nothing, where it would call `basicConfig` for the root logger.
    """
    from functools import wraps

    call_handlers, basic_config = logging.Logger.callHandlers, logging.basicConfig
    does_nothing, of_module = logging.NullHandler.handle, vars(logging)

    def takes_nothing(logger: Logger | None) -> bool:
        while logger:
            for handler in logger.handlers:
                if getattr(handler.handle, "__func__", None) is not does_nothing:
                    return False
            logger = logger.parent if logger.propagate else None
        return True

    @wraps(call_handlers)
    def callHandlers(self: Logger, record: LogRecord) -> None:  # noqa: N802 (the name in tracebacks)
        if logging.lastResort is to_host and not logging.root.handlers and takes_nothing(self):
            if record.levelno >= to_host.level:
                to_host.handle(record)
        else:
            call_handlers(self, record)

    @wraps(basic_config)
    def basicConfig(**options: object) -> None:  # noqa: N802
        if logging.lastResort is not to_host or sys._getframe(1).f_globals is not of_module:
            basic_config(**options)

    logging.Logger.callHandlers = callHandlers
    of_module.update(basicConfig=basicConfig, lastResort=to_host)
