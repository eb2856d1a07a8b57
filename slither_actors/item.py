"""Item: one piece of work in a run."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from types import MappingProxyType
from typing import Any, NoReturn, Self, cast, final, overload

import msgspec


class _Empty(msgspec.Struct, frozen=True, gc=False):
    """The read-only mapping without entries that all items without meta share.

    Not a MappingProxyType, because this is of a type that the garbage collector does not track: so an Item whose
    payload is not tracked either (number, text, bytes) is not tracked, which halves what a large list of them costs.
    """

    def __getitem__(self, key: object) -> NoReturn:
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, key: object) -> bool:
        return False

    def get(self, key: object, default: object = None, /) -> Any:
        return default

    def keys(self) -> KeysView[Any]:
        return _NOTHING.keys()

    def values(self) -> ValuesView[Any]:
        return _NOTHING.values()

    def items(self) -> ItemsView[Any, Any]:
        return _NOTHING.items()

    def __eq__(self, other: object) -> bool:
        return not other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(())

    def __repr__(self) -> str:
        return "{}"

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> str:
        return "EMPTY"  # pickled by name: it stays one object


_NOTHING: dict[Any, Any] = {}
Mapping.register(_Empty)

EMPTY: Mapping[str, Any] = cast("Mapping[str, Any]", _Empty())
"""The meta of an item that has none."""

_MISSING: Any = object()


@final
class Item(msgspec.Struct, frozen=True):
    """One piece of work: a payload with an id. Immutable; its methods return changed copies with the same id.

    ``Item(id, payload)`` checks nothing, and so takes 80 ns; `wrap` checks.

    Args:
        id: name of the item in results and errors; any hashable value, unique in its run if results are to be
            distinguished. It is not sent to workers.
        payload: argument of the worker's function; in a result, its return value.
        meta: read-only facts that travel beside the payload and are not sent to workers. Of a skipped item:
            ``error`` and ``skipped``.
        route: where it goes in a pipeline of several stages.
    """

    id: Any
    payload: Any
    meta: Mapping[str, Any] = EMPTY
    route: str = "default"

    def __init_subclass__(cls, **options: Any) -> None:
        # Hot paths tell items from bare payloads by `type(x) is Item`.
        raise TypeError("Item cannot be subclassed; facts of your own go into meta: Item(id, payload, {'key': value})")

    @classmethod
    def wrap(
        cls,
        payload: object,
        *,
        id: object = None,  # noqa: A002
        meta: Mapping[str, Any] | None = None,
        route: str = "default",
    ) -> Item:
        """Return an Item around a payload; a payload that is an Item already is returned unchanged.

        Args:
            payload: any value, or an Item.
            id: None for a new text that no other item has.
            meta: copied, so that later changes of the mapping do not change the item.
            route: where it goes in a pipeline of several stages.

        Raises:
            TypeError: `meta` is no mapping.
        """
        if type(payload) is Item:
            return payload
        return Item(uuid.uuid4().hex if id is None else id, payload, _read_only(meta), route)

    @classmethod
    def wrap_many(cls, payloads: Iterable[Any]) -> list[Item]:
        """Return a list of Items: payloads get their position as id (0, 1, 2, …), Items are kept.

        Args:
            payloads: finite; for an endless source give it to ``Dispatch.stream`` as it is, which wraps in passing.

        Raises:
            TypeError: it cannot be iterated over.
        """
        entries = list(payloads)
        if Item in set(map(type, entries)):
            return [entry if type(entry) is Item else Item(i, entry) for i, entry in enumerate(entries)]
        return list(map(Item, itertools.count(), entries))

    def update_payload(self, payload: object) -> Item:
        """Return this item with another payload."""
        return Item(self.id, payload, self.meta, self.route)

    @overload
    def put_meta(self, key: str, value: object, /, **entries: object) -> Item: ...
    @overload
    def put_meta(self, /, **entries: object) -> Item: ...

    def put_meta(self, key: object = _MISSING, value: object = _MISSING, /, **entries: object) -> Item:
        """Return this item with more meta: ``put_meta("key", value)`` or ``put_meta(key=value, ...)``. Later ones win.

        Raises:
            TypeError: a key without a value.
        """
        if key is not _MISSING:
            if value is _MISSING:
                raise TypeError(f"put_meta({key!r}) lacks the value: put_meta({key!r}, value)")
            return self._with_meta({key: value, **entries})
        return self._with_meta(entries)

    def _with_meta(self, entries: Mapping[Any, object]) -> Item:
        return Item(self.id, self.payload, MappingProxyType({**self.meta, **entries}), self.route)

    def __reduce__(self) -> tuple[Any, ...]:
        # A MappingProxyType has no pickled form.
        return _restore, (self.id, self.payload, dict(self.meta), self.route)


def _read_only(meta: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if not isinstance(meta, Mapping) and meta is not None:
        raise TypeError(f"an item's meta must be a mapping such as {{'key': value}}, not {meta!r}")
    return MappingProxyType(dict(meta)) if meta else EMPTY


def _restore(id: object, payload: object, meta: Mapping[str, Any], route: str) -> Item:  # noqa: A002
    return Item(id, payload, _read_only(meta), route)
