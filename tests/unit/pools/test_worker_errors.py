"""From what a worker reports to the exception that the host raises."""

from __future__ import annotations

from slither_actors.errors import ProtocolError, UnexpectedResponse, WorkerError
from slither_actors.pools.worker_errors import failure_error, worker_error
from slither_actors.wire import messages as wire
from slither_actors.wire.frames import Frame
from slither_actors.wire.header import FAILURE


def test_a_failure_of_the_function_is_a_worker_error() -> None:
    failure = wire.Failure(kind="user", type="builtins.KeyError", message="'a'", traceback="Traceback")
    error = failure_error(failure)
    assert isinstance(error, WorkerError)
    assert (error.kind, error.type, error.traceback) == ("user", "builtins.KeyError", "Traceback")


def test_a_result_of_the_wrong_shape_is_an_unexpected_response() -> None:
    error = failure_error(wire.Failure(kind="unexpected", type="", message="3 results for 2 items", traceback=""))
    assert isinstance(error, UnexpectedResponse)
    assert "3 results for 2 items" in str(error)


def test_a_failure_frame_that_is_no_map_is_a_protocol_error() -> None:
    assert isinstance(
        worker_error(Frame(kind=FAILURE, flags=0, attempt=1, request_id=1, count=0, failed=0, side=b"", body=b"\xc1")),
        ProtocolError,
    )
