"""The errors of futures: what they are for code that was written for ProcessPoolExecutor, and that they pickle."""

from __future__ import annotations

import pickle
from concurrent.futures import BrokenExecutor

import pytest

from slither_actors import SlitherError, WorkerCrashed
from slither_actors.futures import CallCrashed, InitializerFailed, UnsendableError

ERRORS = [CallCrashed.of(WorkerCrashed(signal=11)), InitializerFailed("no"), UnsendableError("no")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: SlitherError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))


def test_errors_are_those_of_other_executors_too() -> None:
    assert issubclass(CallCrashed, (BrokenExecutor, RuntimeError))
    assert issubclass(InitializerFailed, BrokenExecutor)
    assert issubclass(UnsendableError, (TypeError, pickle.PicklingError))
    assert issubclass(UnsendableError, TypeError)
