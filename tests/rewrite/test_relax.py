"""Relaxed densities: at the corners those of the model as it is written, between them sums done by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.compile.hard_joint import hard_joint
from ppl.compile.joint import LogJoint, compile_joint
from ppl.data import dataset
from ppl.model.graph import Model
from ppl.model.settle import settle
from ppl.rewrite.guards import without_needless_guards
from ppl.rewrite.relax import Relaxed, drawn, relaxed
from ppl.rewrite.simplex_tables import shares_of, weights_of
from ppl.rewrite.sum_out import sum_out

N = 12
RNG = np.random.default_rng(0)
LABELS = np.where(np.arange(N) % 3 == 0, np.nan, 1.0 + np.arange(N) % 2)
DATA = {
    "y": RNG.normal(size=N),
    "g": RNG.integers(1, 4, N).astype(float),
    "kind": LABELS,
    "n": RNG.poisson(2, N).astype(float),
    **{f"x{i + 1}": RNG.normal(size=N) for i in range(4)},
}
CLASSES = "a[3] ~ Categorical([0.2, 0.8])\nb[3] ~ Categorical([0.2, 0.3, 0.5])\nM[2, 3] ~ Normal(0, 1)\n"
MODELS = {
    "spike and slab": (
        "X = columns(x1..x4)\nz[4] ~ Bernoulli(0.3)\nbeta[4] ~ Normal(0, 1)\ny ~ Normal(X @ (z * beta), 1)",
        ["z"],
    ),
    "scalars, and products of elements": (
        "w ~ Beta(1, 1)\nv ~ Bernoulli(w)\nz[2] ~ Bernoulli(w)\ny ~ Normal(v, 1 + z[1] * z[2])",
        ["z", "v"],
    ),
    "classes of groups": (
        "p[3] ~ Dirichlet([1, 1, 1])\nc[3] ~ Categorical(p)\nm[3] ~ Normal(0, 1)\ny ~ Normal(m[c[g]], 1)",
        ["c"],
    ),
    "chain": (
        "P[3, 3] ~ Dirichlet([1, 1, 1])\nm[3] ~ Normal(0, 1)\nz[1] ~ Categorical([0.2, 0.3, 0.5])\n"
        "for t in 2..12 { z[t] ~ Categorical(P[z[t-1]]) }\nfor t in 1..12 { y[t] ~ Normal(m[z[t]], 1) }",
        ["z"],
    ),
    "rows of a matrix": (
        "k[rows] ~ Categorical([0.2, 0.3, 0.5])\nV[3, 2] ~ Normal(0, 1)\nY = hcat(x1, x2)\nY ~ Normal(V[k], 1)",
        ["k"],
    ),
    "ranges, offsets, conditions": (
        "k ~ DiscreteUniform(2, 5)\nm ~ Bernoulli(0.5)\na[4] ~ Normal(0, 1)\n"
        "y ~ Normal((a[k-1] if m == 1 else 3) * exp(0.1 * k), 1)",
        ["k", "m"],
    ),
    "cut counts, and two elements in one condition": (
        "k ~ Poisson(2) < 5\nw[2] ~ Bernoulli(0.5)\ny ~ Normal(1 if w[1] == 1 and w[2] == 1 else k, 1)\n"
        "n ~ Poisson(exp(0.1 * k + w[1]))",
        ["k", "w"],
    ),
    "two in one index": (CLASSES + "y ~ Normal(M[a[g], b[g]], 1)", ["a", "b"]),
    "one of two in an index": (CLASSES + "y ~ Normal(M[a[g], b[g]], 1)", ["a"]),
    "missing labels": ("m[2] ~ Normal(0, 1)\nkind ~ Categorical([0.4, 0.6])\ny ~ Normal(m[kind], 1)", ["kind"]),
    "a recurrence": (
        "z[12] ~ Bernoulli(0.5)\na ~ Normal(0, 1)\ns[1] = 1\nfor t in 2..12 { s[t] = 0.5 * s[t-1] + a * z[t] }\n"
        "y ~ Normal(s, 1)",
        ["z"],
    ),
    "a prior of a latent": ("z ~ Bernoulli(0.3)\nb ~ Normal(z, 1 + z)\ny ~ Normal(b, 1)", ["z"]),
    "the outcome of another": (
        "z ~ Bernoulli(0.3)\nq ~ Beta(1, 1)\nfactor logp(z ~ Bernoulli(q))\ny ~ Normal(q, 1)",
        ["z"],
    ),
}


def settled(text: str, folder: Path) -> Model:
    path = folder / "data.csv"
    rows = [",".join("" if v != v else f"{v:.17g}" for v in row) for row in zip(*DATA.values(), strict=True)]
    path.write_text("\n".join([",".join(DATA), *rows]) + "\n")
    return without_needless_guards(settle(ppl.from_text(text).names, dataset.read([path], {})))


def soft(text: str, names: list[str], folder: Path) -> tuple[Model, Relaxed, LogJoint]:
    model = settled(text, folder)
    found = relaxed(model, names, 0.5)
    return model, found, compile_joint(found.model, sum_out(found.model))


@pytest.mark.parametrize("name", MODELS)
def test_at_the_corners_it_is_the_density_of_the_values(name: str, tmp_path: Path) -> None:
    text, names = MODELS[name]
    model, found, joint = soft(text, names, tmp_path)
    hard = hard_joint(drawn(model, names))
    rng = np.random.default_rng(1)
    z = rng.normal(0, 0.5, (3, joint.dimension))
    values, codes = joint.constrain(z), []
    for one in found.latents:
        possible = one.possible.reshape(-1, len(one.values))
        k = np.array([[rng.choice(np.flatnonzero(each)) for each in possible] for _ in range(3)])
        corner = np.eye(len(one.values))[k].reshape(3, *one.shape, -1)
        values |= {weights_of(one.name): corner, shares_of(one.name): corner}
        codes.append(one.values[k])
    expected = hard.sum_of_parts(hard.constrain(np.concatenate([z, *codes], axis=1)))
    np.testing.assert_allclose(joint.sum_of_parts(values), expected, rtol=1e-12)


def test_between_the_corners_means_stand_for_values(tmp_path: Path) -> None:
    """A parameter is a mean, a condition is weighed, and the prior is weighed by the guide's probabilities."""
    text = "z[2] ~ Bernoulli(0.3)\nb ~ Normal(0, 1)\ny ~ Normal(b * z[1] + (2 if z[2] == 1 else b), 1)"
    _, _, joint = soft(text, ["z"], tmp_path)
    r, q, b = np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([[0.9, 0.1], [0.5, 0.5]]), 0.7
    given = {"b": np.array([b]), weights_of("z"): r[None], shares_of("z"): q[None]}
    mean = b * 0.8 + 0.4 * 2 + 0.6 * b
    expected = stats.norm(mean, 1).logpdf(DATA["y"]).sum() + stats.norm(0, 1).logpdf(b)
    expected += (q @ np.log([0.7, 0.3])).sum()
    assert joint.sum_of_parts(given) == pytest.approx(expected)


def test_values_without_probability_are_left_out(tmp_path: Path) -> None:
    text = "top = [3, 2]\nz[2] ~ DiscreteUniform(1, top)\nm[3] ~ Normal(0, 1)\ny ~ Normal(m[z[1]] + m[z[2]], 1)"
    _, found, _ = soft(text, ["z"], tmp_path)
    np.testing.assert_array_equal(found.latents[0].possible, [[True, True, True], [True, True, False]])


def test_what_is_too_large_to_sum_names_the_way_out(tmp_path: Path) -> None:
    """Only where it is one."""
    assert "--relax z" in _refusal("z[24] ~ Bernoulli(0.5)\ny ~ Normal(sum(z), 1)", tmp_path)
    assert "--relax" not in _refusal("z[24] ~ Bernoulli(0.5)\ny ~ Normal(1 if sum(z) > 3 else 0, 1)", tmp_path)


def _refusal(text: str, folder: Path) -> str:
    settled(text, folder)
    with pytest.raises(ppl.ModelError) as caught:
        ppl.from_text(text).condition(folder / "data.csv")
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Z"], "`Z` is no discrete latent of this model; did you mean `z`?"),
        (["kk"], "`kk` is no discrete latent of this model; those are z"),
        (["b"], "`b` is not discrete"),
        (["y"], "`y` is observed"),
        (["later"], "nothing observed depends on `later`"),
    ],
)
def test_other_names_are_refused(names: list[str], words: str, tmp_path: Path) -> None:
    text = "z ~ Bernoulli(0.5)\nb ~ Normal(0, 1)\ny ~ Normal(b + z, 1)\nlater ~ Bernoulli(0.5)"
    with pytest.raises(ppl.UsageError, match="relax: ") as caught:
        relaxed(settled(text, tmp_path), names, 0.5)
    assert words in str(caught.value)
