"""The staged gradient gives what autograd gives: for every program, and where it could go wrong."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import hessian

import ppl
from ppl.compile.staged import loop, passes, stage
from ppl.compile.staged import trace as tracing
from ppl.compile.staged.listing import Listing, drop_dead
from ppl.compile.staged.run import Runner
from ppl.compile.staged.trace import NotStaged, trace
from ppl.language.errors import InternalError
from ppl.model import linear_steps
from ppl.numeric import gather, linear, reduce, special
from ppl.numeric.first_order import first_order
from ppl.report import stages
from tests.model.test_recurrences import DATA as RECURRENCE_DATA
from tests.model.test_recurrences import LINEAR
from tests.model.test_recurrences import MODELS as RECURRENCES
from tests.test_good_models import PROGRAMS, conditioned

DATA = np.array([0.5, -1.0, 2.0, 0.0])
POSITIONS = gather.Positions(np.array([2, 0, 2, 1]), 3)


def runner_of(density: Callable[[Any], Any], shape: tuple[int, ...] = (4, 3)) -> Runner:
    return Runner(stage.listing(density, shape))


def agree(density: Callable[[Any], Any], z: np.ndarray, run: Runner | None = None) -> None:
    run = run or runner_of(density, z.shape)
    for found, expected in zip(run(z), stage.plain(density, z), strict=True):
        size = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * size)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_program(program: Path) -> None:
    """Built over four draws at one point, run at others; only differential equations stay with autograd."""
    joint = conditioned(program).joint
    if joint.dimension == 0:
        return
    try:
        run = stage.staged(joint, (4, joint.dimension))
    except NotStaged as reason:
        assert "differential" in str(reason)
        return
    for seed in range(2):
        agree(joint, np.random.default_rng(seed).normal(0, 0.7, (4, joint.dimension)), run)
    z = np.random.default_rng(3).normal(0, 0.7, (4, joint.dimension))
    again = pickle.loads(pickle.dumps(run))
    for one, other in zip(again(z), run(z), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    np.testing.assert_allclose(stage.staged_value(joint, z.shape)(z)[0], run(z)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LINEAR)
def test_recurrences_without_steps(name: str) -> None:
    joint = ppl.from_text(RECURRENCES[name], name).condition(RECURRENCE_DATA).joint
    run = stage.staged(joint, (4, joint.dimension))
    assert any(call.function is first_order.fun for call in run.listing.calls)
    for seed in range(2):
        agree(joint, np.random.default_rng(seed).normal(0, 0.7, (4, joint.dimension)), run)
    stage.staged_product(joint, (4, joint.dimension))


@pytest.mark.parametrize("name", RECURRENCES)
@pytest.mark.parametrize("bound", [True, False])
def test_recurrences(name: str, bound: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their steps over memory of their own, or, where there are too many, call by call; and their Hessians."""
    monkeypatch.setattr(linear_steps, "solved", lambda *args: None)
    monkeypatch.setattr(loop, "MOST_BOUND", 20_000 if bound else 0)
    joint = ppl.from_text(RECURRENCES[name], name).condition(RECURRENCE_DATA).joint
    run = stage.staged(joint, (4, joint.dimension))
    assert any(call.function is loop.run for call in run.listing.calls)
    for seed in range(2):
        agree(joint, np.random.default_rng(seed).normal(0, 0.7, (4, joint.dimension)), run)
    z, v = np.random.default_rng(5).normal(0, 0.5, (2, 4, joint.dimension))
    found = stage.staged_product(joint, z.shape)(np.hstack([z, v]))
    ahead, behind = (stage.plain(joint, z + step * v)[1] for step in (1e-5, -1e-5))
    np.testing.assert_allclose(found[1], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-6 * np.abs(found[1]).max())
    again = pickle.loads(pickle.dumps(run))
    for one, other in zip(again(z), run(z), strict=True):
        assert np.array_equal(one, other)


def sums(z: Any) -> Any:
    """Factors and terms on either side of totals, over axes that broadcast."""
    x = anp.reshape(z, (len(z), 1, 3))
    scale = anp.exp(anp.reshape(z[:, :1], (len(z), 1, 1)))
    wide = (x - anp.reshape(DATA, (4, 1))) / scale - anp.log(scale) - 0.9
    return anp.sum(-0.5 * wide * wide + DATA[:, None], axis=(1, 2)) + anp.sum(anp.sum(3.0 - x, axis=1), axis=1)


def products(z: Any) -> Any:
    matrix = DATA[:3, None] * np.arange(1.0, 6.0)
    return anp.sum(anp.matmul(z / anp.exp(z[:, :1]), matrix) ** 2, axis=1)


def wide(z: Any) -> Any:
    """Enough elements for calls made of quick ones, at the ends of their range as well."""
    x = anp.reshape(z, (len(z), 3, 1)) * np.concatenate([np.linspace(-4.0, 4.0, 90), [1e-9, 700.0, -900.0, 1e9]])
    return anp.sum(special.softplus(x) * DATA[0] - special.inv_logit(x), axis=(1, 2))


def positions(z: Any) -> Any:
    return anp.sum(gather.gather(z, POSITIONS, -1) ** 2 * DATA, axis=1) + z[:, 1] * z[:, 0]


def choices(z: Any) -> Any:
    test = anp.greater(z, 0.0)
    return anp.sum(anp.where(test, z * z, -z), axis=1) + anp.sum(anp.where(z[:, :1] > 9.0, z, 2.0), axis=1)


def matrices(z: Any) -> Any:
    whole = linear.outer(z, z) + 3.0 * np.eye(3)
    return linear.log_determinant(whole) + anp.sum(linear.cholesky(whole), axis=(1, 2))


def powers(z: Any) -> Any:
    x = special.exp(z)
    return anp.sum(x**2 + x**-1.0 + special.choose(x < 0, 1.0, anp.log(x)), axis=1) + reduce.logsumexp(z, -1)


@pytest.mark.parametrize("density", [sums, products, wide, positions, choices, matrices, powers])
def test_small_densities(density: Callable[[Any], Any]) -> None:
    run = runner_of(density)
    for seed in range(3):
        agree(density, np.random.default_rng(seed).normal(size=(4, 3)), run)


def test_quick_calls_stand_for_slow_ones() -> None:
    shown = {call.function for call in stage.listing(wide, (4, 3)).calls}
    assert np.log1p in shown
    assert not shown & {np.logaddexp, scipy.special.expit}
    few = {call.function for call in stage.listing(lambda z: anp.sum(special.softplus(z), axis=1), (4, 3)).calls}
    assert np.logaddexp in few


def test_zero_times_infinity_is_zero_as_with_autograd() -> None:
    """A draw in a branch whose other side has an infinite slope."""

    def density(z: Any) -> Any:
        return anp.sum(special.choose(anp.greater(z, 0.0), special.log(z), z), axis=1)

    z = np.array([[0.0, 0.0, 1.0], [1.0, 2.0, 3.0], [-1.0, 0.0, -0.0], [0.5, 0.5, 0.5]])
    run = runner_of(density)
    agree(density, z, run)
    assert np.isfinite(run(z)[1]).all()
    agree(density, np.abs(z) + 1.0, run)  # and after that as before


def test_values_in_pieces() -> None:
    """By autograd at first, then by a listing of the value alone, whatever the number of draws."""
    staging = stage.Staging()
    z = np.random.default_rng(1).normal(size=(100, 3))
    assert staging.value(sums, z, 7) is None  # 14 pieces
    for draws in (100, 98, 7):
        found = staging.value(sums, z[:draws], 7)
        np.testing.assert_allclose(found, sums(z[:draws]), rtol=1e-12)
    assert staging.value(sums, z[:6], 7) is None
    assert staging.values[7].listing.calls
    assert len(staging.values[7].listing.calls) < len(stage.listing(sums, (7, 3)).calls)


@pytest.mark.parametrize("density", [sums, products, wide, positions, choices, matrices, powers])
def test_hessian_times_a_vector(density: Callable[[Any], Any]) -> None:
    """Beside the Hessian of every draw by nested autograd."""
    run = stage.staged_product(density, (4, 3))
    rng = np.random.default_rng(5)
    z, v = rng.normal(size=(2, 4, 3))
    gradient, product = run(np.hstack([z, v]))
    np.testing.assert_allclose(gradient, stage.plain(density, z)[1], rtol=1e-9, atol=1e-9)
    for i in range(4):
        curvature = hessian(lambda x: density(x[None])[0])(z[i])
        np.testing.assert_allclose(product[i], curvature @ v[i], rtol=1e-7, atol=1e-9)


def test_results_are_fresh() -> None:
    run = runner_of(sums)
    z = np.random.default_rng(1).normal(size=(4, 3))
    value, gradient = run(z)
    kept = value.copy(), gradient.copy()
    run(z + 1.0)
    assert np.array_equal(value, kept[0])
    assert np.array_equal(gradient, kept[1])
    again = run(z)
    assert np.array_equal(again[0], kept[0])
    assert np.array_equal(again[1], kept[1])


def test_threads_share_a_runner() -> None:
    """Each call has buffers of its own: thousands of them at a time give what one after the other gives."""
    staging = stage.Staging(first=1)
    points = np.random.default_rng(1).normal(size=(300, 4, 3))
    alone = [staging.value_and_gradient(sums, z) for z in points]
    staging.runners.clear()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(lambda z: staging.value_and_gradient(sums, z), points))
    finally:
        sys.setswitchinterval(before)
    for found, expected in zip(together, alone, strict=True):
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[1], expected[1])


def test_a_clone_has_buffers_of_its_own() -> None:
    run = runner_of(sums)
    other = run.clone()
    assert other.listing is run.listing
    assert not np.shares_memory(run._idle[0]._z, other._idle[0]._z)


def test_code_that_looks_at_values_is_not_staged() -> None:
    def branches(z: Any) -> Any:
        return z[:, 0] if anp.sum(z) > 0 else z[:, 1]

    def converts(z: Any) -> Any:
        return z[:, 0] * float(z[0, 0])

    for density in (branches, converts):
        with pytest.raises(NotStaged, match="looks at values"):
            trace(density, np.ones((2, 2)))


def test_long_traces_are_not_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "MOST_CALLS", 50)

    def density(z: Any) -> Any:
        total = z[:, 0]
        for _ in range(60):
            total = total + 1.0
        return total

    staging = stage.Staging()
    with pytest.raises(NotStaged, match="calls"):
        trace(density, np.ones((2, 2)))
    for _ in range(stage.FIRST_STAGED):
        value, _ = staging.value_and_gradient(density, np.ones((2, 2)))
    assert (value == 61.0).all()
    assert staging.never


def test_a_difference_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(listing: Listing) -> Listing:
        return drop_dead(Listing(listing.calls, listing.shape, (listing.outputs[0], np.zeros(listing.shape))))

    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, forgets))
    with pytest.raises(InternalError, match="internal error: the staged gradient differs"):
        stage.staged(sums, (4, 3))
    assert InternalError.exit_code == 70


def test_staged_after_some_calls_and_kept_for_the_last_used() -> None:
    staging = stage.Staging()
    z = np.random.default_rng(1).normal(size=(4, 3))
    for draws in (2, 4):
        for count in range(stage.FIRST_STAGED):
            assert (draws in staging.runners) is False, count
            staging.value_and_gradient(sums, z[:draws])
    assert set(staging.runners) == {2, 4}
    staging.value_and_gradient(sums, z[:2])
    staging._make_room(stage._MOST_BYTES - staging.runners[2].bytes)
    assert list(staging.runners) == [2]


@pytest.mark.parametrize("density", [sums, positions, matrices])
def test_pickles(density: Callable[[Any], Any]) -> None:
    run = runner_of(density)
    z = np.random.default_rng(1).normal(size=(4, 3))
    for one, other in zip(pickle.loads(pickle.dumps(run))(z), run(z), strict=True):
        assert np.array_equal(one, other)


def test_shown() -> None:
    schools = next(path for path in PROGRAMS if path.stem == "eight_schools")
    text = stages.gradient(conditioned(schools).joint)
    assert "for 32 draws of 10 coordinates" in text
    assert "exp(" in text
    assert "gradient %" in text
    solved = next(path for path in PROGRAMS if path.stem == "ode_decay")
    assert "by autograd, call by call: a differential equation" in stages.gradient(conditioned(solved).joint)
