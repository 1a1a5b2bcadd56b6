"""Variable elimination beside the sum over everything, on factor graphs made at random."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ppl
from ppl.compile.elimination import Elimination
from ppl.rewrite.eliminate import TooManyTerms, plan
from ppl.rewrite.references import Discrete
from ppl.rewrite.sum_out import SummedOut
from tests.witness import assert_close, assert_gradients


def _random_graph(rng: np.random.Generator, elements: int) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Scopes, numbers of values, and tables (2 draws): elements of two kinds, tables over up to three of them."""
    counts = np.where(np.arange(elements) < elements // 2, 2, 3)
    kinds = [np.flatnonzero(counts == 2), np.flatnonzero(counts == 3)]
    scopes, tables = [], []
    for _ in range(rng.integers(1, 5)):
        pattern = [kinds[k] for k in rng.integers(0, 2, rng.integers(1, 4))]
        if any(sum(kind is other for other in pattern) > len(kind) for kind in pattern):
            continue
        rows = []
        for _ in range(rng.integers(1, 5)):
            row: list[int] = []
            for kind in pattern:
                row.append(int(rng.choice([element for element in kind if element not in row])))
            rows.append([element if rng.random() > 0.1 else -1 for element in row])
        scopes.append(np.array(rows))
        values = [2 if kind is kinds[0] else 3 for kind in pattern]
        tables.append(rng.normal(size=(2, *values, len(rows))))
    return scopes, counts, tables


def _brute_force(scopes: list[np.ndarray], counts: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    used = sorted({int(e) for scope in scopes for e in scope.reshape(-1) if e >= 0})
    found = []
    for values in itertools.product(*(range(counts[e]) for e in used)):
        at = dict(zip(used, values, strict=True))
        total = np.zeros(2)
        for scope, table in zip(scopes, tables, strict=True):
            for row, elements in enumerate(scope.tolist()):
                key = tuple(at[e] if e >= 0 else 0 for e in elements)
                total = total + table[(slice(None), *key, row)]
        found.append(total)
    return np.logaddexp.reduce(found, axis=0)


def _elimination(scopes: list[np.ndarray], counts: np.ndarray) -> Elimination:
    latents = tuple(Discrete(str(i), np.arange(n), 1) for i, n in enumerate(counts.tolist()))
    summed = SummedOut(latents, {str(i): i for i in range(len(counts))}, {}, plan(scopes, counts))
    return Elimination(summed, {latent.name: () for latent in latents})


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed: int) -> None:
    scopes, counts, tables = _random_graph(np.random.default_rng(seed), 6)
    if not scopes:
        return
    found = _elimination(scopes, counts).log_total(tables)
    assert_close(found, _brute_force(scopes, counts, tables), 1e-12, 1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_gradients(seed: int) -> None:
    scopes, counts, tables = _random_graph(np.random.default_rng(100 + seed), 6)
    elimination = _elimination(scopes, counts)
    assert_gradients(lambda *given: elimination.log_total(given), *tables)


def test_a_chain_with_impossible_steps() -> None:
    """Minus infinity in the tables is neither NaN in the sum nor in its gradient."""
    steps = np.array([[0, 1], [1, 2], [2, 3]])
    table = np.zeros((2, 2, 2, 3))
    table[:, 1, 0] = -np.inf
    elimination = _elimination([steps], np.full(4, 2))
    assert_close(elimination.log_total([table]), np.log([5.0, 5.0]))
    where = np.isfinite(table)

    def total(finite: np.ndarray) -> object:
        from autograd import numpy as anp

        return elimination.log_total([anp.where(where, finite, -np.inf)])

    assert_gradients(total, np.where(where, table, 0.0))


def test_draws_have_the_joint_distribution() -> None:
    scopes = [np.array([[0, 1], [1, 2]]), np.array([[2]])]
    rng = np.random.default_rng(5)
    tables = [rng.normal(size=(1, 2, 2, 2)), rng.normal(size=(1, 2, 1))]
    draws = 40_000
    drawn = _elimination(scopes, np.full(3, 2)).draw(tables, draws, rng)
    code = drawn["0"] * 4 + drawn["1"] * 2 + drawn["2"]
    found = np.bincount(code.astype(int), minlength=8) / draws
    weights = np.array(
        [
            tables[0][0, a, b, 0] + tables[0][0, b, c, 1] + tables[1][0, c, 0]
            for a, b, c in itertools.product(range(2), repeat=3)
        ]
    )
    expected = np.exp(weights - np.logaddexp.reduce(weights))
    assert np.abs(found - expected).max() < 4 * np.sqrt(0.25 / draws)


def test_probabilities_are_those_of_the_sum_over_everything() -> None:
    posterior = ppl.from_text(CHAIN).condition({"y": np.array([0.3, 1.2, -0.4, 2.0]), "g": np.array([1, 2, 2, 1])})
    joint = posterior.joint
    m = np.array([[-0.5, 1.0], [0.2, 0.7]])
    weights = np.array([0.25, 0.75])
    found = joint.probabilities({"m": m}, weights)
    expected = {"z": np.zeros((2, 4)), "w": np.zeros((2, 2))}
    for own, weight in zip(m, weights, strict=True):
        each = {}
        for values in itertools.product([0, 1], repeat=6):
            z, w = np.array(values[:4]), np.array(values[4:])
            total = np.log(0.5) + np.log(np.where(z[1:] == 1, 0.2 + 0.5 * z[:-1], 0.8 - 0.5 * z[:-1])).sum()
            total += np.log(np.where(w == 1, 0.3, 0.7)).sum()
            mean = own[z] + w[np.array([0, 1, 1, 0])]
            each[values] = total - 0.5 * ((np.array([0.3, 1.2, -0.4, 2.0]) - mean) ** 2).sum()
        most = np.logaddexp.reduce(list(each.values()))
        for values, total in each.items():
            for i, value in enumerate(values):
                name, place = ("z", i) if i < 4 else ("w", i - 4)
                expected[name][value, place] += weight * np.exp(total - most)
    for name, probabilities in expected.items():
        assert_close(found[name], probabilities, 1e-12, 1e-12)


CHAIN = """
m[2] ~ Normal(0, 1)
z[1] ~ Bernoulli(0.5)
for t in 2..4 { z[t] ~ Bernoulli(0.2 + 0.5*z[t-1]) }
w[2] ~ Bernoulli(0.3)
for t in 1..4 { y[t] ~ Normal(m[z[t] + 1] + w[g[t]], 1) }
"""


def test_too_many_terms_are_known_before_anything_runs() -> None:
    everything = np.arange(30)[None]
    with pytest.raises(TooManyTerms) as caught:
        plan([everything], np.full(30, 2))
    assert caught.value.terms > 50_000_000


def test_long_chains_need_few_rounds() -> None:
    steps = np.stack([np.arange(999), np.arange(1, 1000)], axis=1)
    assert len(plan([steps], np.full(1000, 2)).steps) < 60


def test_a_tree_is_summed_from_its_leaves() -> None:
    """Its cost is that of pairs, whatever the number of leaves."""
    edges = np.stack([np.zeros(500, dtype=int), np.arange(1, 501)], axis=1)
    assert plan([edges], np.full(501, 3)).terms <= 500 * 9 + 3
