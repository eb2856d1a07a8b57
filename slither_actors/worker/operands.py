"""What the instruction that raised was given: read from the function's bytecode, as a traceback has no operands."""

from __future__ import annotations

import dis

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Final

# What these do is not seen in the depth of the stack: they leave it as it is, and take nothing from it.
_IDLE: Final = frozenset(("NOP", "CACHE", "EXTENDED_ARG", "KW_NAMES", "RESUME", "NOT_TAKEN"))
_LOADS: Final = frozenset(("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_DEREF"))
_PAIRS: Final = frozenset(("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW"))
_JUMPS: Final = frozenset((*dis.hasjrel, *dis.hasjabs))
_FARTHEST: Final = 200


class Raised:
    """The instruction of a frame that raised.

    Args:
        trace: the part of a traceback that is about the frame.
        caller: the part before it.
    """

    def __init__(self, trace: TracebackType, caller: TracebackType | None = None) -> None:
        self._caller = caller
        self._frame: FrameType = trace.tb_frame
        self._all = list(dis.get_instructions(self._frame.f_code))
        self._at = max(i for i, one in enumerate(self._all) if one.offset <= max(trace.tb_lasti, 0))

    @property
    def is_call(self) -> bool:
        """Whether it calls something."""
        return self._all[self._at].opname.startswith(("CALL", "PRECALL"))

    def took(self, value: object) -> bool:
        """Whether it took a local variable that has this value, and not something made of it."""
        return self._takes(self._at, self._names_of(value))

    def took_an_element_of(self, value: object) -> bool:
        """Whether it took the variable of a loop, or of a comprehension, over this value."""
        return any(self._runs_over(head, value) for head in range(self._at) if self._is_loop(head))

    def _is_loop(self, head: int) -> bool:
        """Whether this is the head of a loop around the instruction, which took the loop's variable."""
        one = self._all[head]
        if one.opname != "FOR_ITER" or not one.argval > self._all[self._at].offset:
            return False
        after = self._all[head + 1]
        stored = after.argval if after.opname == "STORE_FAST" else None
        if after.opname == "STORE_FAST_LOAD_FAST":
            stored = after.argval[0]
        return stored is not None and self._takes(self._at, {stored})

    def _runs_over(self, head: int, value: object) -> bool:
        if self._all[head - 1].argval == ".0":  # a comprehension with a frame of its own
            inner = self._frame.f_locals.get(".0")
            caller = Raised(self._caller) if self._caller is not None else None
            return inner is value or (caller is not None and caller._iterates(caller._at, value))
        return self._iterates(head, value)

    def _iterates(self, at: int, value: object) -> bool:
        """Whether the last iterator that was made before an instruction is one of this value."""
        makes = next((i for i in range(at - 1, -1, -1) if self._all[i].opname == "GET_ITER"), 0)
        return self._takes(makes, self._names_of(value))

    def _names_of(self, value: object) -> set[str]:
        return {name for name, held in self._frame.f_locals.items() if held is value}

    def _takes(self, at: int, names: set[str]) -> bool:
        """Whether the instruction takes one of these variables, as it was loaded; False where a jump is between."""
        for start in range(at - 1, max(-1, at - _FARTHEST), -1):
            one = self._all[start]
            if one.opcode in _JUMPS:
                return False
            loaded = _loaded(one)
            for place, name in enumerate(loaded, 1 - len(loaded)):
                if name in names and self._taker(start, place) == at:
                    return True
        return False

    def _taker(self, start: int, place: int) -> int | None:
        """Return the first instruction that takes the value which another one has put on the stack.

        Args:
            start: index of the other one.
            place: where on the stack it is: 0 is the top.
        """
        depth, places = 1, {place}
        for at in range(start + 1, self._at + 1):
            one = self._all[at]
            if one.opname == "COPY" and depth - (one.arg or 0) in places:
                places.add(depth)
            elif one.opname == "DUP_TOP_TWO":
                places |= {place + 2 for place in places if place >= depth - 2}
            elif one.opname == "SWAP":
                top, other = depth - 1, depth - (one.arg or 0)
                places = {other if place == top else top if place == other else place for place in places}
                continue
            elif one.opname in _IDLE:
                continue
            depth += dis.stack_effect(one.opcode, one.arg, jump=False)
            # It has left at most one value where it took some: in the lowest place of these.
            if any(depth <= place + 1 for place in places) and one.opname != "COPY":
                return at + 1 if one.opname == "PRECALL" else at
        return None


def _loaded(one: dis.Instruction) -> tuple[str, ...]:
    """Return the names of the variables that an instruction puts on the stack."""
    if one.opname in _LOADS:
        return (one.argval,)
    if one.opname in _PAIRS:
        return tuple(one.argval)
    return (one.argval[1],) if one.opname == "STORE_FAST_LOAD_FAST" else ()
