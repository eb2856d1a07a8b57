"""A run that goes on with a request: its session, its place, its input."""

from __future__ import annotations

from typing import Any

from unit.requests.test_reply_to import FakePool, a_lane, a_request

from slither_actors.context import Context
from slither_actors.option_parsing import parse_options
from slither_actors.pools.spec import PoolSpec
from slither_actors.requests.reply_to import ThreadReplyTo
from slither_actors.runs.batch import Batch
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.resumed_input import Resumed, ResumedInput
from slither_actors.runs.places import affinity_of, own_session, pooled_queue, timeouts
from slither_actors.runs.run import Run
from supervisors.testing import ManualScheduler

SPEC = PoolSpec(timeout=7.0, batch_timeout=9.0, affinity="hint")


def options(**more: Any) -> Any:
    made = parse_options({"module": "m", "function": "f", **more})
    made.settle(2)
    return made


def test_requests_that_go_on_have_sessions_of_their_own() -> None:
    shared = options()
    first, second = own_session(shared).context, own_session(shared).context
    assert len({first.session_id, second.session_id, shared.context.session_id}) == 3
    assert not first.session_given


def test_a_given_session_stays() -> None:
    shared = options(context=Context.new(session_id="s", pipe="p"))
    assert own_session(shared) is shared


def test_what_a_run_does_not_say_its_pool_says() -> None:
    assert timeouts(options(), SPEC) == (7.0, 9.0)
    assert timeouts(options(timeout=None, batch_timeout=1.0), SPEC) == (None, 1.0)
    assert affinity_of(options(), SPEC) == "none"
    assert affinity_of(options(context=Context.new(session_id="s")), SPEC) == "hint"


def test_the_batch_is_one_of_the_run(manual: ManualScheduler) -> None:
    request = a_request(a_lane(FakePool(), manual), 5, ThreadReplyTo(manual))
    request.attempt, request.body, request.avoid = 2, b"body", 1
    run = Run(options(), manual)
    resumed = Resumed(request, ValueError())
    source = ResumedInput(run, resumed, lambda run: Batcher(run, None))
    batch = resumed.enter(run, pooled_queue(run, SPEC, "p"))
    assert type(batch) is Batch
    assert (batch.attempt, batch.body, batch.avoid, batch.entries) == (2, b"body", 1, [5])
    assert run.undelivered == {1: batch}
    assert (run.credit.pulled, run.ledger.batched, run.source_done) == (1, 1, True)
    source.start()
    assert not source.refill()
    assert source.ended()
    assert source.leftover() == []
    source.close()
