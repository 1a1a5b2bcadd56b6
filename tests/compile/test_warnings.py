"""Warnings before a fit: each where it belongs, and none on models that are in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ppl
from tests.conftest import Run
from tests.test_good_models import PROGRAMS, conditioned

rng = np.random.default_rng(1)
X, Y = rng.normal(size=40), rng.normal(size=40)
ABOVE = (X > 0.1).astype(int)
GROUPS = np.array(["a", "b"] * 20)
CLASSES = "z[40] ~ Categorical([0.5, 0.5])\n"


def warnings_of(text: str, **data: object) -> tuple[str, ...]:
    return ppl.from_text(text, "test.ppl").condition(data).warnings


BAD: dict[str, tuple[str, dict[str, object], str]] = {
    "discrete": (
        f"m[2] ~ Normal(0, 10)\n{CLASSES}y ~ Normal(m[z], 1)", {"y": Y},
        "the 2 elements of `m` can change places",
    ),
    "components in one": (
        "m[3] ~ Normal(0, 10)\ns[3] ~ HalfNormal(1)\np[3] ~ Dirichlet(1)\nz[40] ~ Categorical(p)\n"
        "y ~ Normal(m[z], s[z])", {"y": Y}, "the 3 elements of `m`, `s` and `p` can change places",
    ),
    "mixture": (
        "m1 ~ Normal(0, 9)\nm2 ~ Normal(0, 9)\ny ~ Mixture([0.5, 0.5], Normal(m1, 1), Normal(m2, 1))", {"y": Y},
        "bound one by the other, as in `m2 ~ ... > m1`",
    ),
    "mixture of pairs": (
        "m1 ~ Normal(0, 9)\nm2 ~ Normal(0, 9)\ns1 ~ HalfNormal(1)\ns2 ~ HalfNormal(1)\n"
        "y ~ Mixture([0.5, 0.5], Normal(m1, s1), Normal(m2, s2))", {"y": Y},
        "`m1`, `m2`, `s1` and `s2` can change places",
    ),
    "square": ("a ~ Normal(0, 5)\ny ~ Normal(a^2, 1)", {"y": Y + 1}, "the sign of `a` can flip without"),
    "loadings": (
        "l[2] ~ Normal(0, 1)\nf[40] ~ Normal(0, 1)\ny ~ Normal(f*l[1], 0.5)\nx ~ Normal(f*l[2], 0.5)",
        {"x": X, "y": Y}, "the signs of `l` and `f` can flip together",
    ),
    "sum": ("a ~ Flat()\nb ~ Flat()\ny ~ Normal(a + b, 1)", {"y": Y}, "direction in `a` and `b`, without priors"),
    "untouched": ("a ~ Flat()\ny ~ Normal(0*a, 1)", {"y": Y}, "never changes; give it a prior"),
    "all groups": (
        "a ~ Flat()\ne[g] ~ Flat()\ny ~ Normal(a + e[g], 1)", {"y": Y, "g": GROUPS}, "in `a` and `e`, without priors",
    ),
    "one number": ("s ~ Flat() > 0\ny ~ Normal(0, s)", {"y": [1.0]}, "one number depends on it"),
    "two numbers": (
        "m ~ Flat()\ns ~ Flat() > 0\ny ~ Normal(m, s)", {"y": [1.0, 2.0]}, "only 2 numbers depend on it",
    ),
    "columns": (
        "X = columns(x, x2, x3)\nb[X] ~ Normal(0, 1)\ny ~ Normal(X @ b, 1)", {"y": Y, "x": X, "x2": 2 * X, "x3": X**2},
        "the columns that `b[x]` and `b[x2]` multiply",
    ),
    "proportional": (
        "b ~ Normal(0, 1)\nc ~ Normal(0, 1)\na ~ Normal(0, 1)\ny ~ Normal(a + b*x - c*x2, 1)",
        {"y": Y, "x": X, "x2": 2 * X}, "the columns that `b` and `c` multiply",
    ),
    "constant": (
        "b ~ Normal(0, 1)\na ~ Normal(0, 1)\ny ~ Normal(a + b*x, 1)", {"y": Y, "x": 0 * X + 3},
        "the columns that `a` and `b` multiply",
    ),
    "zero": ("b ~ Normal(0, 1)\ny ~ Normal(b*x, 1)", {"y": Y, "x": 0 * X}, "what `b` multiplies is 0 in every row"),
    "separated": (
        "a ~ Normal(0, 100)\nb ~ Normal(0, 100)\ny ~ Bernoulli(logit = a + b*x)", {"y": ABOVE, "x": X},
        "`y` is separated",
    ),
    "separated, a matrix": (
        "X = columns(x, x2)\nb[X] ~ Flat()\na ~ Flat()\ny ~ Bernoulli(logit = a + X @ b)",
        {"y": ABOVE, "x": X, "x2": Y}, "`y` is separated",
    ),
}  # fmt: skip

GOOD: dict[str, tuple[str, dict[str, object]]] = {
    "ordered": (f"m[2] ~ Ordered(Normal(0, 10))\n{CLASSES}y ~ Normal(m[z], 1)", {"y": Y}),
    "unlike weights": ("m[2] ~ Normal(0, 9)\nz[40] ~ Categorical([0.3, 0.7])\ny ~ Normal(m[z], 1)", {"y": Y}),
    "far from the data": (
        "m[2] ~ Ordered(Normal(30, 10))\nw[3] ~ Dirichlet(2)\n"
        "y ~ Mixture(w, Normal(m[1], 0.1), Normal(m[2], 0.1), Normal(30, 20))",
        {"y": Y + 30},
    ),
    "exchangeable groups": (
        "mu ~ Normal(0, 1)\ntau ~ HalfNormal(1)\ne[g] ~ Normal(mu, tau)\ny ~ Normal(e[g], 1)", {"y": Y, "g": GROUPS}
    ),
    "missing cells": ("s ~ HalfNormal(1)\ny ~ Normal(0, s)", {"y": [1.0, np.nan, 2.0]}),
    "one mode, symmetric": ("a ~ Normal(0, 5)\nfactor -a^2", {}),
    "funnel": ("v ~ Normal(0, 3)\nx ~ Flat()\nfactor -0.5*x^2*exp(-v) - v/2", {}),
    "peak between the images": (
        "a ~ Normal(0, 9)\nb ~ Normal(0, 9)\nfactor logsumexp([-a^2 - b^2, -2*a^2 - 2*b^2])", {}
    ),
    "funnel of nine": ("v ~ Normal(0, 3)\nx[9] ~ Flat()\nfactor -0.5*x^2*exp(-v) - v/2", {}),
    "banana": ("x ~ Normal(0, 10)\nb ~ Flat()\nfactor -0.5*(b + 0.1*x^2 - 10)^2", {}),
    "positive": ("a ~ Normal(0, 5) > 0\ny ~ Normal(a^2, 1)", {"y": Y}),
    "proper sum": ("a ~ Flat()\nb ~ Normal(0, 1)\ny ~ Normal(a + b, 1)", {"y": Y}),
    "flat line": ("a ~ Flat()\nb ~ Flat()\ny ~ Normal(a + b*x, 1)", {"y": Y, "x": 2000 + X}),
    "three numbers": ("m ~ Flat()\ns ~ Flat() > 0\ny ~ Normal(m, s)", {"y": [1.0, 2.0, 4.0]}),
    "flat scale of schools": (
        "m ~ Flat()\nt ~ Flat() > 0\ne[8] ~ Normal(m, t)\ny ~ Normal(e, 1)", {"y": Y[:8]}
    ),
    "more columns than rows": (
        "X = columns(x, x2, x3)\nb[X] ~ Normal(0, 1)\ny ~ Normal(X @ b, 1)",
        {"y": Y[:2], "x": X[:2], "x2": X[2:4], "x3": X[4:6]},
    ),
    "separated, tight priors": (
        "a ~ Normal(0, 2)\nb ~ Normal(0, 2)\ny ~ Bernoulli(logit = a + b*x)", {"y": ABOVE, "x": X}
    ),
    "not separated": (
        "a ~ Normal(0, 100)\nb ~ Normal(0, 100)\ny ~ Bernoulli(logit = a + b*x)", {"y": (X + Y > 0).astype(int), "x": X}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_warned(name: str) -> None:
    text, data, words = BAD[name]
    assert words in "\n".join(warnings_of(text, **data))


@pytest.mark.parametrize("name", GOOD)
def test_not_warned(name: str) -> None:
    text, data = GOOD[name]
    assert warnings_of(text, **data) == ()


TRUE_OF = {  # of the good programs, those that have what is warned of
    "dawid_skene": "label switching",
    "onehot_levels": "`b[2]` multiplies is 0",
}


@pytest.mark.parametrize("prior", ["Normal(0, 1)", "Flat()"])
def test_many_rows(prior: str) -> None:
    """Columns and slopes are looked at in memory that grows with the rows, not with their square."""
    x = np.random.default_rng(2).normal(size=200_000)
    assert warnings_of(f"a ~ {prior}\nb ~ {prior}\ny ~ Normal(a + b*x, 1)", y=x, x=x) == ()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_no_false_alarm(program: Path) -> None:
    found = conditioned(program).warnings
    assert len(found) == (program.stem in TRUE_OF)
    assert TRUE_OF.get(program.stem, "") in "".join(found)


def test_on_the_command_line(tmp_path: Path, ppl_command: Run) -> None:
    (tmp_path / "m.ppl").write_text("a ~ Normal(0, 5)\ny ~ Normal(a^2, 1)\n")
    (tmp_path / "d.csv").write_text("y\n9\n")
    done = ppl_command("check", "m.ppl", "d.csv")
    assert done.returncode == 0
    assert done.stderr.splitlines()[1].startswith("warning: the sign of `a` can flip without any change in density")
