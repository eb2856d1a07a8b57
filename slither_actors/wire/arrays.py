"""numpy arrays and scalars as extension types. Only loaded where a numpy value is, or an incoming frame says so."""

from __future__ import annotations

import re
import sys

import numpy as np

from .extension_codes import ARRAY, ARRAY_BESIDE, SCALAR, DecodeError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from .extension_codes import Decoding, Nesting


def _description(dtype: np.dtype[Any]) -> Any:
    """Describe a dtype for :func:`_dtype`: a string, a list for structured ones, a map for `numpy.record`."""
    if dtype.hasobject:
        raise RefusedError(f"a numpy array of dtype {dtype} holds Python objects; send a list, or a numeric dtype")
    if dtype.names is not None:
        try:
            fields = np.lib.format.dtype_to_descr(dtype)
        except ValueError as error:  # overlapping fields, say
            raise RefusedError(f"dtype {dtype} has no description ({error}); send each field as an array") from None
        if any(_has_records(inner) for inner, *_ in dtype.fields.values()):  # type: ignore[union-attr]
            raise RefusedError(f"dtype {dtype} has numpy.record inside a field; send astype() of a plain dtype")
        return {_RECORD: fields} if dtype.type is np.record else fields
    text = dtype.str
    found = np.dtype(text)
    if found.type is not dtype.type:
        # numpy.longlong where that is as wide as int64: equal, yet another type. Unequal: a dtype of a third party's.
        if found != dtype:
            raise RefusedError(f"dtype {dtype} is not one of numpy's own; send a view or astype() of it")
        text = dtype.char
    return text


def _has_records(dtype: np.dtype[Any]) -> bool:
    """Whether items of the dtype are, or hold, `numpy.record`: inside a field the description does not tell."""
    inner = dtype.base
    return inner.type is np.record or any(_has_records(field) for field, *_ in (inner.fields or {}).values())


# numpy reads whole lists out of a text ("2i4,(3,)f8"), an expression each; _description makes none such.
_ONE_TYPE: Final = re.compile(r"[<>=|]?[a-zA-Z?][0-9]{0,10}(\[[0-9]{0,10}[a-zA-Z]{1,7}(/[0-9]{1,10})?\])?")
_BIG_ENDIAN: Final = ">" if sys.byteorder == "little" else "="
"""`byteorder` of a dtype whose numbers begin with the highest byte."""
_RECORD: Final = "record"
"""The one key of the map that describes a structured dtype whose items are `numpy.record` and not `numpy.void`."""
_MOST_DIMENSIONS: Final = 64  # numpy's own bound; 32 before numpy 2

_dtypes: Final[dict[str, np.dtype[Any]]] = {}  # those of texts; few differ in a program
_MOST_DTYPES: Final = 256


def _dtype(description: Any) -> np.dtype[Any]:
    if type(description) is str and description in _dtypes:
        return _dtypes[description]
    if type(description) is dict:
        if list(description) != [_RECORD] or type(description[_RECORD]) is not list:
            raise DecodeError("a map describes no dtype")
        return np.dtype((np.record, _dtype(description[_RECORD])))
    _check(description)
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(description)
    if dtype.hasobject:
        raise DecodeError("an array of Python objects does not travel")
    if type(description) is str and len(_dtypes) < _MOST_DTYPES:
        _dtypes[description] = dtype
    return dtype


def _check(description: Any) -> None:
    """Refuse what :func:`_description` never makes: no text, no list of fields, no such thing with a shape."""
    if isinstance(description, str):
        if not _ONE_TYPE.fullmatch(description):
            raise DecodeError(f"{description[:40]!r} describes no dtype")
    elif isinstance(description, list):
        for field in description:
            _check(field[1])
    elif isinstance(description, tuple):
        _check(description[0])
    else:
        raise DecodeError(f"a {type(description).__name__} describes no dtype")


def encode_array(value: np.ndarray[Any, Any], outer: Nesting) -> tuple[int, bytes]:
    """Dtype, order, shape and either the bytes or where they are beside the body."""
    description = _description(value.dtype)
    if not value.itemsize and value.size:
        raise RefusedError(f"a numpy array of dtype {value.dtype}, whose items have no bytes; send its shape")
    if value.flags.c_contiguous:
        order, flat = "C", value
    elif value.flags.f_contiguous:
        order, flat = "F", value.T
    else:
        order, flat = "C", np.ascontiguousarray(value)
    size = value.nbytes
    if size:
        # Bytes, whatever the dtype: some (datetime64, structured) have no buffer format of their own.
        data = memoryview(flat.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        offset = outer.beside(data, size)
    else:
        data, offset = memoryview(b""), None
    shape = list(value.shape)
    if offset is None:
        return ARRAY, outer.nested([description, order, shape, data])
    return ARRAY_BESIDE, outer.nested([description, order, shape, offset, size])


def encode_scalar(value: np.generic, outer: Nesting) -> tuple[int, bytes]:
    """Dtype and bytes."""
    if not value.itemsize and type(value) is np.void:
        raise RefusedError("a numpy.void without bytes, which numpy cannot make again; send None")
    return SCALAR, outer.nested([_description(value.dtype), value.tobytes() if value.itemsize else b""])


def decode_array(data: bytes, hook: Decoding) -> np.ndarray[Any, Any]:
    """Return a writable array with memory of its own."""
    description, order, shape, content = hook.items(data)
    return _shaped(np.frombuffer(bytearray(content), np.uint8), _dtype(description), order, shape)


def decode_array_beside(data: bytes, hook: Decoding) -> np.ndarray[Any, Any]:
    """Return a writable array that is a view of the frame's buffers."""
    description, order, shape, offset, size = hook.items(data)
    if type(offset) is not int or type(size) is not int or size < 0:
        raise DecodeError("an array whose place is no place")
    flat = np.frombuffer(hook.beside.view(offset, size), np.uint8)
    return _shaped(flat, _dtype(description), order, shape)


def _shaped(flat: np.ndarray[Any, Any], dtype: np.dtype[Any], order: str, shape: list[int]) -> np.ndarray[Any, Any]:
    if order not in ("C", "F") or type(shape) is not list or not all(type(n) is int and n >= 0 for n in shape):
        raise DecodeError("an array of unknown order or shape")
    if len(shape) > _MOST_DIMENSIONS:  # before they are multiplied
        raise DecodeError(f"an array of {len(shape)} dimensions")
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != flat.nbytes:
        raise DecodeError(f"an array of shape {shape} and dtype {dtype} takes other than {flat.nbytes} bytes")
    if not flat.nbytes:
        if count:  # numpy would make items of one byte out of these, as many as the shape says
            raise DecodeError(f"an array of dtype {dtype}, whose items have no bytes")
        return np.empty(shape, dtype, order=order)  # type: ignore[call-overload,no-any-return]
    return flat.view(dtype).reshape(shape, order=order)  # type: ignore[call-overload,no-any-return]


def decode_scalar(data: bytes, hook: Decoding) -> Any:
    """Return the scalar, of its numpy type."""
    description, content = hook.items(data)
    dtype = _dtype(description)
    if len(content) != dtype.itemsize:
        raise DecodeError(f"a scalar of dtype {dtype} takes other than {len(content)} bytes")
    if not content:
        return dtype.type()
    # An item taken out of an array has lost the zeros at its end, which are padding there and belong to a scalar.
    if dtype.type is np.bytes_:
        return np.bytes_(content)
    if dtype.type is np.str_:
        return np.str_(content.decode("utf-32-be" if dtype.byteorder == _BIG_ENDIAN else "utf-32-le", "surrogatepass"))
    # Structured ones are made to be written to, which numpy does not hash: they take 4 µs to compare, and values of one
    # hash are found at once, so that as keys they would cost 1 s for each 100 KiB.
    return np.frombuffer(content if dtype.names is None else bytearray(content), dtype, count=1)[0]
