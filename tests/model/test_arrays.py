"""Functions of arrays inside loops, their axes and their labels; what each does to numbers stands in tests/good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppl
from ppl.compile.sparsity import interactions
from ppl.model import terms
from ppl.model.dependence import dependences, ones
from ppl.rewrite.intervals import Intervals

T = {"t": [0.1, 0.7, 2.0], "X": [[1.0, 2.0], [0.3, -1.0], [0.5, 0.2]], "out": [0.3, -1.0, 2.0], "k": [2, 1, 2]}
PRIORS = "a[3] ~ HalfNormal(1); b[3, 2] ~ Normal(0, 1); M[3, 2, 2] ~ Normal(0, 1)"

IN_LOOPS = [
    "X[i] @ b[i]",
    "b[i] @ X[i, :]",
    "(X @ b[i])[2]",
    "(M[i] @ X[i])[1]",
    "sum(M[i] @ M[i])",
    "X[i] @ M[i] @ b[i]",
    "sum(M[i, 1..2, 2])",
    "transpose(M[i])[1, 2]",
    "diag(b[i])[2, 2] + diag(M[i])[1] + diag(b[i])[1, 2]",
    "det(M[i]) + inv(M[i])[1, 2]",
    "logdet(M[i] @ transpose(M[i]) + eye(2))",
    "cholesky(M[i] @ transpose(M[i]) + eye(2))[2, 1]",
    "solve(M[i], b[i])[1] + solve(M[i], M[1])[1, 2] + solve(X[1..2, :], b[i])[2]",
    "kron(M[i], X)[3, 2] + kron(b[i], t)[4]",
    "outer(b[i], t)[1, 3]",
    "seq(a[i], 2, 3)[2] + sum(seq(1, a[i], 4))",
    "concat(a[i], t, b[i])[6] + concat(M[i], X)[2, 1]",
    "hcat(a[i], X, b[3] @ [1, 1])[2, 3] + hcat(b[i], t[1..2], M[i])[1, 3]",
    "vcat(b[i], M[2], 1)[2, 2] + sum(vcat(1, M[i], a[i]))",
    "repeat(b[i], 2)[3] + repeat(a[i], 2)[1] + repeat(M[i], 2)[4, 1]",
    "flatten(M[i])[3]",
    "onehot(k[i], 2) @ b[i]",
    "exp_quad(t, a[i], 2)[1, 3] + exp_quad(X, t[i], 1.5)[1, 2]",
    "matern32(M[i], a[i], 1)[1, 2] + matern52(M[i], X, 1, b[i])[1, 2]",
    "periodic(t, b[i], a[i], 2, 3)[1, 2]",
    "center(b[i])[1] + standardize(b[i] + t[1..2])[2] + center(M[i])[1, 1]",
]


def condition(text: str, folder: Path, data: dict[str, Any] = T) -> ppl.Posterior:
    program = folder / "m.ppl"
    program.write_text(text)
    return ppl.load(program).condition(data)


@pytest.mark.parametrize("expression", IN_LOOPS)
def test_in_loops(expression: str, tmp_path: Path) -> None:
    """A loop means what its rounds mean, written out."""
    rounds = ", ".join(expression.replace("[i", f"[{i}") for i in (1, 2, 3))
    loop = condition(f"{PRIORS}\nfor i in 1..3 {{ mu[i] = {expression} }}\nout ~ Normal(mu, 1)", tmp_path)
    unrolled = condition(f"{PRIORS}\nout ~ Normal([{rounds}], 1)", tmp_path)
    z = np.random.default_rng(3).normal(0, 1, (4, loop.joint.dimension))
    found, slopes = loop.joint.value_and_gradient(z)
    expected, expected_slopes = unrolled.joint.value_and_gradient(z)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-9, atol=1e-9)
    assert interactions(loop.joint).shape == interactions(unrolled.joint).shape
    ahead = (interactions(unrolled.joint) == 0) & (np.abs(_hessian(loop, z[0])) > 1e-4)
    assert not ahead.any()
    assert not ((interactions(loop.joint) == 0) & (np.abs(_hessian(loop, z[0])) > 1e-4)).any()


def _hessian(posterior: ppl.Posterior, z: np.ndarray) -> np.ndarray:
    steps = 1e-5 * np.eye(len(z))
    above, below = (posterior.joint.value_and_gradient(z + sign * steps)[1] for sign in (1, -1))
    return np.asarray((above - below) / 2e-5)


def derived(text: str, folder: Path, data: dict[str, Any] | Path, name: str = "m") -> terms.Term:
    program = folder / "m.ppl"
    program.write_text(text + "\nq ~ Normal(0, 1)\ny ~ Normal(q, 1)")
    model = ppl.load(program).condition(data).model
    return model.derived[name]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text("g,x,y,z\na,1,0,3\nb,2,1,0\na,4,2,1\nc,3,0,2\n")
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("expression", "axes"),
    [
        ("zeros(rows)", "rows"),
        ("transpose(columns(x, z))", "columns rows"),
        ("exp_quad(x, 1, 1)", "rows rows"),
        ("exp_quad(x, [1, 2], 1, 1)", "rows 2"),
        ("inv(exp_quad(x, 1, 1))", "rows rows"),
        ("outer(x, [1, 2])", "rows 2"),
        ("solve(exp_quad(x, 1, 1), columns(x, z))", "rows columns"),
        ("hcat(x, z)", "rows 2"),
        ("vcat(columns(x, z), 1)", "5 columns"),
        ("hcat(columns(x, z), 1)", "rows columns"),
        ("concat(x, 1)", "5"),
        ("onehot(g)", "rows g"),
        ("diag(x)", "rows rows"),
        ("diag(exp_quad(x, 1, 1))", "rows"),
        ("center(x)", "rows"),
        ("bspline(x, 3)", "rows columns"),
        ("flatten(columns(x, z))", "8"),
        ("kron(eye(2), eye(3))", "6 6"),
    ],
)
def test_axes(expression: str, axes: str, tmp_path: Path, table: Path) -> None:
    term = derived(f"m = {expression}", tmp_path, table)
    assert " ".join(axis.name for axis in term.axes) == axes
    assert all(axis.identity for axis in term.axes if not axis.name.isdigit())
    assert term.known  # worked out once


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("bspline(x, 4)", ["bspline(x).1", "bspline(x).2", "bspline(x).3", "bspline(x).4"]),
        ("poly(log(x), 2)", ["poly(log(x)).1", "poly(log(x)).2"]),
        ("hcat(1, x, columns(x, z), onehot(g))", None),
        ("hcat(1, columns(x, z), onehot(g))", ["1", "x", "z", "onehot(g).a", "onehot(g).b", "onehot(g).c"]),
    ],
)
def test_labels_of_columns(expression: str, labels: list[str] | None, tmp_path: Path, table: Path) -> None:
    term = derived(f"m = {expression}", tmp_path, table)
    numbered = ["1.1", "x.2", "x.3", "z.4", "onehot(g).a.5", "onehot(g).b.6", "onehot(g).c.7"]  # two are called x
    assert list(term.axes[1].labels or ()) == (numbered if labels is None else labels)


def test_sequences(tmp_path: Path, table: Path) -> None:
    for expression, expected in {
        "seq(1, 4)": [1, 2, 3, 4],
        "seq(0.5, 3)": [0.5, 1.5, 2.5],
        "seq(0, 0.9999999999)": [0, 1],
        "seq(1, 0)": [],
        "seq(1, 0, 3)": [1, 0.5, 0],
        "seq(0.1, 0.7, 7)": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
    }.items():
        np.testing.assert_allclose(np.asarray(derived(f"m = {expression}", tmp_path, table).value), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("transpose(A)", [["11"], ["21"]]),
        ("concat(v, 1)", ["1", "2", ""]),
        ("diag(v)", [["1", ""], ["", "2"]]),
        ("diag(B)", ["11", "22"]),
        ("hcat(v, 1)", [["1", ""], ["2", ""]]),
        ("vcat(B, 1)", [["11", "12"], ["21", "22"], ["", ""]]),
        ("repeat(v, 2)", ["1", "2", "1", "2"]),
        ("flatten(B)", ["11", "12", "21", "22"]),
    ],
)
def test_dependence_is_precise(expression: str, expected: list[Any], tmp_path: Path) -> None:
    """Each element depends on the elements it is, and on no others."""
    text = (
        f"v[2] ~ Normal(0, 1); B[2, 2] ~ Normal(0, 1); A[1, 2] ~ Normal(0, 1)\nm = {expression}\ny ~ Normal(sum(m), 1)"
    )
    model = condition(text, tmp_path, {"y": 0.0}).model
    term = model.derived["m"]
    names = {"v": ["1", "2"], "A": ["11", "21"], "B": ["11", "12", "21", "22"]}
    (source,) = terms.inputs([term])
    own = names[source]
    size = len(own)
    pattern = dependences([term], {source: ones(np.arange(size), np.arange(size), (size, size))})[id(term)]
    assert pattern is not None
    shown = ["".join(own[j] for j in np.flatnonzero(row)) for row in np.asarray(pattern.todense())]
    assert shown == list(np.asarray(expected).reshape(-1))


@pytest.mark.parametrize(
    ("expression", "interval"),
    [
        ("exp_quad(v, u, 1)", (0, np.inf)),
        ("matern32(v, u, 1)", (0, np.inf)),
        ("periodic(v, u, 1, 1)", (0, np.inf)),
        ("diag(inv_logit(v) + 1)", (0, 2)),
        ("concat(inv_logit(v), 3)", (0, 3)),
        ("hcat(inv_logit(v), -1)", (-1, 1)),
        ("repeat(exp(v), 2)", (0, np.inf)),
        ("outer(exp(v), exp(v))", (0, np.inf)),
        ("kron(exp(v), exp(v))", (0, np.inf)),
        ("inv(diag(v))", (-np.inf, np.inf)),
    ],
)
def test_intervals(expression: str, interval: tuple[float, float], tmp_path: Path) -> None:
    text = f"v[2] ~ Normal(0, 1); u ~ Normal(0, 1)\nm = {expression}\ny ~ Normal(sum(m), 1)"
    model = condition(text, tmp_path, {"y": 0.0}).model
    term = model.derived["m"]
    assert Intervals({latent.name: latent for latent in model.latents}).of(term) == interval


@pytest.mark.parametrize("matrix", ["[[a, 1], [1, a]]", "a*eye(2) - 1"])
def test_a_draw_without_an_inverse_is_impossible_alone(matrix: str, tmp_path: Path) -> None:
    posterior = condition(f"a ~ Normal(0, 1)\ny ~ Normal(sum(inv({matrix})), 1)", tmp_path, {"y": 0.0})
    singular = 1.0 if matrix.startswith("[") else 2.0
    found = posterior.joint.value(np.array([[0.3], [singular], [-0.4]]))
    assert np.isfinite(found[[0, 2]]).all()
    assert found[1] == -np.inf


def test_pieces_from_two_loops(tmp_path: Path) -> None:
    """Pieces that vary over different loops: each element depends on its own rounds alone."""
    text = """a[2] ~ Normal(0, 1); b[3, 2] ~ Normal(0, 1)
        for i in 1..2, j in 1..3 { m[i, j] = concat(a[i], b[j])[1]*concat(b[j], a[i])[3] + hcat(b[j], a[i])[2, 2] }
        y ~ Normal(m, 1)"""
    posterior = condition(text, tmp_path, {"y": [[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]})
    a, b = np.array([0.4, -1.1]), np.random.default_rng(2).normal(0, 1, (3, 2))
    mean = a[:, None] ** 2 + a[:, None] + 0 * b[:, 0]
    y = np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
    expected = -0.5 * (((y - mean) ** 2).sum() + (a**2).sum() + (b**2).sum()) - 0.5 * 14 * np.log(2 * np.pi)
    assert posterior.log_density({"a": a, "b": b}) == pytest.approx(expected, rel=1e-12)
    assert interactions(posterior.joint).sum() == 8  # no two coordinates meet


def test_onehot_of_a_latent_category(tmp_path: Path) -> None:
    """Summed out like an index."""
    prior = "w ~ Dirichlet(ones(3)); m[3] ~ Normal(0, 1)\nz[4] ~ Categorical(w)\n"
    data = {"y": [0.1, 2.0, -1.0, 0.4]}
    values = {"w": np.array([0.2, 0.5, 0.3]), "m": np.array([-1.0, 0.5, 2.0])}
    by_index = condition(prior + "y ~ Normal(m[z], 1)", tmp_path, data).log_density(values)
    assert condition(prior + "y ~ Normal(onehot(z, 3) @ m, 1)", tmp_path, data).log_density(values) == pytest.approx(
        by_index, rel=1e-12
    )
