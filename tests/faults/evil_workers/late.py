"""A stand-in that answers what it was told to forget.

It holds back the batches whose payload is text, however long; acknowledges each cancel; and answers all it has held
back when a batch ``"now"`` comes.
"""

from __future__ import annotations

from impostor import frames, pack_frame, reply, say, serve

held = []


def answer(request, payloads):
    if payloads[0] == "now":
        say(b"".join(reply(each, values) for each, values in held))
        held.clear()
        say(reply(request, payloads))
    elif type(payloads[0]) is str:
        held.append((request, payloads))
    else:
        say(reply(request, [2 * payload for payload in payloads]))


def cancel(request):
    say(pack_frame(frames.CANCELLED, request.request_id))


if __name__ == "__main__":
    serve(answer, cancel)
