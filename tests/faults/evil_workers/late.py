"""A stand-in that answers requests that were cancelled.

It holds back the batches whose payload is text and acknowledges each cancel; once only one is left that was not
cancelled, it answers all of them.
"""

from __future__ import annotations

from impostor import frames, pack_frame, reply, say, serve

held = []
cancelled = []


def answer(request, payloads):
    if type(payloads[0]) is str:
        held.append((request, payloads))
    else:
        say(reply(request, [2 * payload for payload in payloads]))


def cancel(request):
    cancelled.append(request.request_id)
    say(pack_frame(frames.CANCELLED, request.request_id))
    if len(cancelled) == len(held) - 1:
        say(b"".join(reply(each, values) for each, values in held))


if __name__ == "__main__":
    serve(answer, cancel)
