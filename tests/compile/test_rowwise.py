"""Parts of a log joint at some rows are the elements of the whole; what mixes rows is left in the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ppl import api
from ppl.compile import row_moves
from ppl.compile.joint import LogJoint
from ppl.compile.rowwise import Rowwise, rowwise
from ppl.compile.staged import stage
from ppl.language.errors import InternalError
from ppl.model import terms
from ppl.model.program import compile_terms
from tests.test_good_models import PROGRAMS, conditioned

N = 30


def joint_of(text: str, tmp_path: Path, rows: int = N) -> LogJoint:
    rng = np.random.default_rng(3)
    columns = {
        "y": rng.normal(0, 1, rows), "b": rng.integers(0, 2, rows), "g": rng.integers(0, 4, rows),
        "x1": rng.normal(3, 2, rows), "x2": rng.normal(0, 1, rows), "n": rng.poisson(2.0, rows),
    }  # fmt: skip
    lines = [",".join(columns)] + [
        ",".join(f"L{v}" if name == "g" else repr(v.item()) for name, v in zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    (tmp_path / "model.ppl").write_text(text)
    posterior = api.load(str(tmp_path / "model.ppl")).condition(str(tmp_path / "data.csv"))
    return posterior.joint


def split_of(text: str, tmp_path: Path) -> Rowwise:
    found = rowwise(joint_of(text, tmp_path))
    assert found is not None
    return found


def agrees(split: Rowwise) -> None:
    """Sums over blocks, and the rest, are the log joint, its Jacobian left out; the elements those of the whole."""
    joint = split.joint
    z = np.random.default_rng(1).normal(0, 0.4, (3, joint.dimension))
    values = joint.constrain(z)
    whole = joint.program.run(values)
    rows = np.array([7, 2, 2, 19]) % split.axis.length
    for number, found in enumerate(split.at(rows).log_probs(split.of_rows(values, rows))):
        part = joint.parts[split.parts[number]]
        place = split.templates.places[id(split.templates.wanted[number])] - len(part.log_prob.shape)
        expected = np.take(whole[split.parts[number]], rows, axis=place)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    total = split.rest.sum_of_parts(values) + sum(
        split.at(slice(i, i + 8)).total(split.of_rows(values, slice(i, i + 8))) for i in range(0, split.axis.length, 8)
    )
    np.testing.assert_allclose(total, joint.sum_of_parts(values), rtol=1e-10)


MODELS = {
    "regression": "a ~ Normal(0, 1)\nb1 ~ Normal(0, 1)\ns ~ HalfNormal(1)\ny ~ Normal(a + b1*standardize(x1), s)",
    "matrix": "X = standardize(columns(x1, x2))\nbeta[X] ~ Normal(0, 1)\nb ~ Bernoulli(logit = X @ beta)",
    "groups": "t ~ HalfNormal(1)\na[g] ~ Normal(0, t)\ns[g] ~ HalfNormal(1)\ny ~ Normal(a[g], s[g])",
    "slopes": "c[g, 2] ~ Normal(0, 1)\ny ~ Normal(c[g, 1] + c[g, 2]*x1, 1)",
    "local": "t ~ HalfNormal(1)\nz[rows] ~ Normal(0, t)\nn ~ Poisson(log = z + 0.1*x2)",
    "local vectors": "W[2] ~ Normal(0, 1)\nz[rows, 2] ~ Normal(0, 1)\ny ~ Normal(z @ W + z[:, 1]*x1, 1)",
    "loop": "a ~ Normal(0, 1)\nc[4] ~ Normal(0, 1)\nfor i in 1..30 { y[i] ~ Normal(a + c[n[i]*0 + 1] * x1[i], 1) }",
    "missing groups": "a[g] ~ Normal(0, 1)\ny ~ Normal(a[g] if x2 > 0 else -a[g], 1) > -100",
    "two": "a ~ Normal(0, 1)\ny ~ Normal(a, 1)\nn ~ NegBinomial(exp(a), 3)",
}


@pytest.mark.parametrize("name", MODELS)
def test_at_rows(name: str, tmp_path: Path) -> None:
    split = split_of(MODELS[name], tmp_path)
    assert all(i in split.parts for i, part in enumerate(split.joint.parts) if part.observed)
    agrees(split)


def test_local_latents(tmp_path: Path) -> None:
    split = split_of(MODELS["local vectors"], tmp_path)
    assert split.local == {"z": 0}
    assert [split.joint.parts[i].name for i in split.parts] == ["z", "y"]
    assert [split.joint.parts[i].name for i in split.others] == ["W"]


MIXING = {
    "running sum": "z[rows] ~ Normal(0, 1)\ny ~ Normal(cumsum(z), 1)",
    "sum over rows": "z[rows] ~ Normal(0, 1)\ny ~ Normal(z - mean(z), 1)",
    "lag": "z[rows] ~ Normal(0, 1)\nfor t in 2..30 { y[t] ~ Normal(z[t-1], 1) }\ny[1] ~ Normal(0, 1)",
    "walk": "w[rows] ~ GaussianRandomWalk(1)\ny ~ Normal(w, 1)",
}


@pytest.mark.parametrize("name", MIXING)
def test_what_mixes_rows_is_left(name: str, tmp_path: Path) -> None:
    split = rowwise(joint_of(MIXING[name], tmp_path))
    assert split is None or "w" not in [split.joint.parts[i].name for i in split.parts]
    if split is not None:
        agrees(split)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_program(program: Path) -> None:
    joint = conditioned(program).joint
    split = rowwise(joint)
    if split is not None and joint.dimension:
        agrees(split)


def test_weighted_log_joint(tmp_path: Path) -> None:
    """Its mean over choices that cover the data is the log joint; it is differentiable."""
    split = split_of(MODELS["groups"], tmp_path)
    z = np.random.default_rng(2).normal(0, 0.4, (2, split.joint.dimension))
    choices = np.random.default_rng(0).permutation(N).reshape(5, 6)
    found = [stage.plain(split.log_joint(rows, N / 6), z) for rows in choices]
    expected = stage.plain(split.joint, z)
    for i in range(2):
        np.testing.assert_allclose(np.mean([pair[i] for pair in found], axis=0), expected[i], rtol=1e-10)


def test_an_operation_that_keeps_the_rows_of_the_whole_is_found_out(tmp_path: Path) -> None:
    """An elementwise operation that remembers a row of the data, and does not say so."""
    joint = joint_of(MODELS["regression"], tmp_path)
    wrong = terms.Op("centred", lambda x: x - np.mean(x) if np.shape(x)[-1] < N else x)
    parts = [
        replace(part, log_prob=terms.apply(wrong, (part.log_prob,), (), part.span)) if part.observed else part
        for part in joint.parts
    ]
    program = compile_terms(part.log_prob for part in parts)
    with pytest.raises(InternalError, match="at some rows"):
        rowwise(replace(joint, parts=tuple(parts), program=program))


def test_moves_that_mix_rows() -> None:
    from ppl.data.axes import Axis, rows
    from ppl.data.column import Kind
    from ppl.language.source import Span

    span = Span(0, 0)
    z = terms.latent("z", (rows(5), Axis("2", 2)), span)
    flip = terms.Op("flip", lambda x: x[..., ::-1, :], (2,), moves=True)
    turned = terms.Term(flip, (z,), z.axes, Kind.REAL, span)
    assert row_moves.follow(turned, 0, 0) is None
