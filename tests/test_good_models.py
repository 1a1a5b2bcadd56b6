"""Every program in tests/good means the same to the compiler and to the slow interpreter, and its gradient is right.

NAME.ppl uses the data of t.csv and t.json unless it has its own NAME.csv or NAME.json.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.compile.sparsity import interactions
from ppl.infer import curvature
from ppl.report import stages
from tests.conftest import MODELS
from tests.interpreter import Interpreter

GOOD = Path(__file__).parent / "good"
PROGRAMS = [*sorted(GOOD.glob("*.ppl")), *sorted(MODELS.glob("*.ppl"))]


def data_of(program: Path) -> list[Path]:
    own = [program.with_suffix(ending) for ending in (".csv", ".json") if program.with_suffix(ending).exists()]
    return own or [GOOD / "t.csv", GOOD / "t.json"]


@cache
def conditioned(program: Path) -> ppl.Posterior:
    return ppl.load(program).condition(*data_of(program))


def points(posterior: ppl.Posterior, count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.7, (count, posterior.joint.dimension))


programs = pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)


@programs
def test_interpreter_agrees(program: Path) -> None:
    posterior = conditioned(program)
    parsed = ppl.load(program).program
    for z in points(posterior):
        values = {name: array[0] for name, array in posterior.joint.constrain(z[None]).items()}
        expected = Interpreter(parsed, posterior.model.data, values).log_density()
        assert posterior.log_density(values) == pytest.approx(expected, rel=1e-10, abs=1e-9)


@programs
def test_joint_is_density_plus_jacobian_over_draws(program: Path) -> None:
    """Many draws at once give what each gives alone, and the Jacobian is all that the log joint adds."""
    posterior = conditioned(program)
    z = points(posterior, 5)
    together = posterior.joint.value(z)
    for i, one in enumerate(z):
        values = posterior.joint.constrain(one[None])
        _, log_jacobian = posterior.joint.constrain_with_jacobian(one[None])
        alone = posterior.log_density({name: array[0] for name, array in values.items()}) + float(log_jacobian[0])
        assert together[i] == pytest.approx(alone, rel=1e-12, abs=1e-10)


@programs
def test_gradient(program: Path) -> None:
    joint = conditioned(program).joint
    z = points(conditioned(program))
    values, gradients = joint.value_and_gradient(z)
    np.testing.assert_allclose(values, joint.value(z), rtol=1e-12)
    step = 1e-5
    for k in range(joint.dimension):
        move = step * np.eye(joint.dimension)[k]
        expected = (joint.value(z + move) - joint.value(z - move)) / (2 * step)
        np.testing.assert_allclose(gradients[:, k], expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(values).max()))


@programs
def test_there_and_back(program: Path) -> None:
    joint = conditioned(program).joint
    z = points(conditioned(program))
    np.testing.assert_allclose(joint.unconstrain(joint.constrain(z)), z, rtol=1e-9, atol=1e-9)


@programs
def test_pattern_holds_every_interaction(program: Path) -> None:
    """The Hessian from few directions is the Hessian from all of them."""
    joint = conditioned(program).joint
    z = points(conditioned(program), 1)[0]
    scale = np.full(joint.dimension, 0.1)

    def gradient(at: np.ndarray) -> np.ndarray:
        return joint.value_and_gradient(at)[1]

    pattern = interactions(joint)
    everything = curvature.plan(np.ones_like(pattern))
    full = curvature.hessians(gradient, z[None], scale, everything, joint.draws_at_once)
    few = curvature.hessians(gradient, z[None], scale, curvature.plan(pattern), joint.draws_at_once)
    assert (pattern | (np.abs(full) < 1e-5 * np.abs(full).max())).all()
    np.testing.assert_allclose(few, full, rtol=1e-5, atol=1e-5 * np.abs(full).max())


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.parent == GOOD], ids=lambda path: path.stem)
def test_graph(program: Path, golden: Callable[[Path, str], None]) -> None:
    model = conditioned(program).model
    golden(program.with_suffix(".graph"), f"{stages.names(model)}\n\n{stages.graph(model)}\n")
