"""Random models end in a posterior whose density is that of the slow interpreter, or in an error with a position.

PPL_RANDOM_MODELS=5000 pytest tests/test_random_models.py     # a long run, with examples of its own each time
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import ppl
from ppl.language.errors import DataError, ModelError
from tests import random_models
from tests.interpreter import Interpreter

LONG = int(os.environ.get("PPL_RANDOM_MODELS", "0"))
SECONDS = 20  # more than any of them should take
PLACE = re.compile(r"<model>:\d+:\d+: error: .")


def examples(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=LONG or count, derandomize=not LONG, deadline=None, database=None, print_blob=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@contextmanager
def limited() -> Iterator[None]:
    """A model that hangs fails."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def conditioned(text: str, data: tuple[Any, ...]) -> ppl.Posterior | None:
    """The posterior; None where there is a mistake, which then has a place."""
    try:
        return ppl.from_text(text).condition(*data)
    except ModelError as error:
        assert PLACE.search(str(error)), str(error)
    except DataError as error:
        assert str(error)
    return None


def check(text: str, data: tuple[Any, ...]) -> None:
    with limited():
        posterior = conditioned(text, data)
        if posterior is None:
            return
        program, joint = ppl.from_text(text).program, posterior.joint
        for z in np.random.default_rng(3).normal(0, 0.6, (2, joint.dimension)):
            values = {name: array[0] for name, array in joint.constrain(z[None]).items()}
            found = posterior.log_density(values)
            expected = Interpreter(program, posterior.model.data, values).log_density()
            assert found == pytest.approx(expected, rel=1e-8, abs=1e-8)
            if joint.dimension:
                value, gradient = joint.value_and_gradient(z[None])
                assert not np.isnan(value).any()
                assert np.isfinite(gradient).all() or not np.isfinite(value).all()


@examples(80)
@given(random_models.models(), random_models.data())
def test_models_that_make_sense(text: str, data: tuple[Any, ...]) -> None:
    check(text, data)


@examples(120)
@given(random_models.spoilt(), random_models.data())
def test_models_that_are_spoilt(text: str, data: tuple[Any, ...]) -> None:
    check(text, data)
