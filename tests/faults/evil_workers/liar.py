"""A stand-in that doubles numbers as it is asked to, and lies where a payload names a lie."""

from __future__ import annotations

import os
import time

from impostor import encode, frames, pack_frame, reply, say, serve

from slither_actors.wire.frames import HEADER_SIZE, VERSION, pack_header


def twice(request, payloads):
    say(reply(request, payloads) * 2)


def never_asked(request, payloads):
    say(reply(request, payloads, request_id=request.request_id + 1_000_000))


def of_another(request, payloads):
    """The second payload says by how much its request id is off."""
    say(reply(request, payloads, request_id=request.request_id + payloads[1]))


def header_counts_more(request, payloads):
    say(reply(request, payloads, count=len(payloads) + 1))


def header_counts_less(request, payloads):
    say(reply(request, payloads, count=len(payloads) - 1))


def body_has_more(request, payloads):
    say(reply(request, [*payloads, 1], count=len(payloads)))


def body_has_less(request, payloads):
    say(reply(request, payloads[1:], count=len(payloads)))


def body_is_no_value(request, payloads):
    say(reply(request, payloads, body=b"\xc1\xc1\xc1"))


def body_is_no_list(request, payloads):
    say(reply(request, payloads, body=encode({"a": 1})))


def failed_items_out_of_range(request, payloads):
    say(reply(request, payloads[1:], failed=1, side=b"\xff\xff\xff\x7f" + encode([])))


def failed_items_without_a_table(request, payloads):
    say(reply(request, payloads[1:], failed=1))


def failure_is_no_failure(request, payloads):
    say(pack_frame(frames.FAILURE, request.request_id, b"nonsense"))


def text(request, payloads):
    say(b"Traceback (most recent call last):\n  File ...\n")


def announces_4_gib(request, payloads):
    say(pack_header(frames.REPLY, request.request_id, count=len(payloads), body_len=1 << 32))


def announces_1_gib_and_is_silent(request, payloads):
    """Just within max_frame: all that is wrong with it is that it does not come."""
    say(pack_header(frames.REPLY, request.request_id, count=len(payloads), body_len=(1 << 30) - HEADER_SIZE))
    say(b"x" * 1000)


def half_and_silent(request, payloads):
    say(reply(request, payloads)[:-1])


def half_and_dead(request, payloads):
    say(reply(request, payloads)[:-1])
    os._exit(9)


def half_a_header_and_dead(request, payloads):
    say(reply(request, payloads)[: HEADER_SIZE // 2])
    os._exit(9)


def half_and_closed(request, payloads):
    say(reply(request, payloads)[:-1])
    from impostor import REPLY

    os.close(REPLY)
    time.sleep(3600)


def answer_and_garbage(request, payloads):
    say(reply(request, payloads) + b"and some more")


def in_single_bytes(request, payloads):
    """No lie: a frame that comes slowly is a frame all the same."""
    for byte in reply(request, payloads):
        say(bytes([byte]))


def unknown_kind(request, payloads):
    say(b"SA" + bytes([VERSION, 200]) + reply(request, payloads)[4:])


def kind_of_a_host(request, payloads):
    say(pack_frame(frames.CALL, request.request_id))


def other_version(request, payloads):
    say(b"SA\x01" + reply(request, payloads)[3:])


def ready_again(request, payloads):
    say(pack_frame(frames.READY, request.request_id))


def loaded(request, payloads):
    say(pack_frame(frames.LOADED, request.request_id))


def cancelled(request, payloads):
    """Without a cancel: the batch is not at fault, but it will not be answered either."""
    say(pack_frame(frames.CANCELLED, request.request_id + 1_000_000))


def cancelled_itself(request, payloads):
    """Without a cancel: a host that believes it waits without end."""
    say(pack_frame(frames.CANCELLED, request.request_id))


def answered_and_cancelled(request, payloads):
    """The batch behind it was not begun, and its cancel was not requested either."""
    say(reply(request, payloads) + pack_frame(frames.CANCELLED, request.request_id + 1))


def retires_for_nonsense(request, payloads):
    say(pack_frame(frames.RETIRE, 0, encode("I am tired")))


def retires_and_never_ends(request, payloads):
    say(reply(request, payloads) + pack_frame(frames.RETIRE, 0, encode("max_batches")))
    while True:
        time.sleep(3600)


def retires_before_it_answers(request, payloads):
    """As far as it tells, this batch never began."""
    say(pack_frame(frames.RETIRE, 0, encode("max_batches")))
    os._exit(0)


def answer(request, payloads):
    lie = payloads[0]
    if type(lie) is str:
        globals()[lie](request, payloads)
    else:
        say(reply(request, [2 * payload for payload in payloads]))


if __name__ == "__main__":
    serve(answer)
