"""The formatter changes spaces and nothing else, and formatting twice is formatting once."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppl.language.errors import ModelError
from ppl.language.formatter import formatted
from ppl.language.parser import parse, tokens
from ppl.language.source import Source, Span
from tests.conftest import MODELS

GOOD = Path(__file__).parent.parent / "good"
PROGRAMS = [*sorted(GOOD.glob("*.ppl")), *sorted(MODELS.glob("*.ppl"))]


def fmt(text: str) -> str:
    return formatted(Source("m.ppl", text))


def tree(text: str) -> Any:
    """The syntax tree without its spans."""
    return without_spans(parse(Source("m.ppl", text)).statements)


def without_spans(node: Any) -> Any:
    if isinstance(node, tuple):
        return tuple(map(without_spans, node))
    if not is_dataclass(node):
        return node
    values = [getattr(node, entry.name) for entry in fields(node)]
    return (type(node).__name__, *(without_spans(value) for value in values if not isinstance(value, Span)))


def comments(text: str) -> list[str]:
    return [line[line.index("#") :].rstrip() for line in text.splitlines() if "#" in line and '"' not in line]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_keeps_its_meaning(program: Path) -> None:
    text = program.read_text(encoding="utf-8")
    found = fmt(text)
    assert fmt(found) == found
    assert tree(found) == tree(text)
    assert comments(found) == comments(text)


@pytest.mark.parametrize("program", sorted(MODELS.glob("*.ppl")), ids=lambda path: path.stem)
def test_the_models_are_in_the_house_style(program: Path) -> None:
    assert fmt(program.read_text(encoding="utf-8")) == program.read_text(encoding="utf-8")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PROGRAMS), st.integers(0, 2**32))
def test_spaces_put_in_anywhere_go_again(program: Path, seed: int) -> None:
    """Whatever white space stands between tokens, the tree is the same, and one pass is enough."""
    text = program.read_text(encoding="utf-8")
    messy = with_other_spaces(text, random.Random(seed))
    found = fmt(messy)
    assert tree(found) == tree(text)
    assert fmt(found) == found


def with_other_spaces(text: str, rng: random.Random) -> str:
    """Blanks added and removed between the tokens of a text, where that does not join or part any."""
    places = [(token.start_pos, token.end_pos) for token in tokens(Source("m.ppl", text)) if token != "\n"]
    pieces, taken = [], 0
    for (_, end), (start, _) in pairwise(places):
        assert end is not None and start is not None
        between, left, right = text[end:start], text[end - 1], text[start]
        pieces.append(text[taken:end])
        taken = start
        if between.strip(" "):
            pieces.append(between)  # comments and line ends
        elif (left.isalnum() or left in "_`.\"'") and (right.isalnum() or right in '_`."'):
            pieces.append(" " * max(len(between), rng.randint(1, 3)) if between else "")
        elif left in ".<>=!" or right in ".=":
            pieces.append(between)
        else:
            pieces.append(" " * rng.randint(0, 3))
    return "".join([*pieces, text[taken:]])


CASES = {
    "mu~Normal(0,1)": "mu ~ Normal(0, 1)",
    "a  =  b": "a = b",
    "x=-y  +- 2 * ( a - b ) ^2^-1": "x = -y + -2*(a - b)^2^-1",
    "x = a/b": "x = a/b",
    "x = (a + b) / (c + d)": "x = (a + b) / (c + d)",
    "x = a /b": "x = a/b",
    "x = a@b": "x = a @ b",
    "x = y[ t - 1 ]": "x = y[t-1]",
    "x = y[i,t] + y[i , t]": "x = y[i,t] + y[i, t]",
    "x = [1,2 + 3]": "x = [1, 2 + 3]",
    "x = y[2 .. n - 1]": "x = y[2..n-1]",
    "x = y[1. ..5]": "x = y[1. ..5]",
    "x = y[1.. .5]": "x = y[1.. .5]",
    "x = sum(y[i]for i in 1 .. n + 1)": "x = sum(y[i] for i in 1..n+1)",
    "x = sum(y[i] for i in (a+1)..n)": "x = sum(y[i] for i in (a + 1)..n)",
    "x = a if not(b==c)and d<e else f": "x = a if not (b == c) and d < e else f",
    "x = z[ : ,1]": "x = z[:,1]",
    "tau~Normal(0,1)>0": "tau ~ Normal(0, 1) > 0",
    "y~Bernoulli(logit=a)": "y ~ Bernoulli(logit = a)",
    "a ~ X(1);b ~ X(1) ;": "a ~ X(1); b ~ X(1)",
    "a = 1;;b = 2": "a = 1; b = 2",
    "factor-x": "factor -x",
    'data only y[ N ]missing - 1,`a b`missing "x"': 'data only y[N] missing -1, `a b` missing "x"',
    'levels s="a" , "b"': 'levels s = "a", "b"',
    "f (x,y)=x+y*-2": "f(x, y) = x + y*-2",
    "x = logp( y~Normal(m,1) )": "x = logp(y ~ Normal(m, 1))",
    "for i in 1..n{y[i] ~ X(1)}": "for i in 1..n { y[i] ~ X(1) }",
    "for i in 1..n{\ny[i] ~ X(1)\n      }": "for i in 1..n {\n  y[i] ~ X(1)\n}",
    "for i in 1..n {\n\n\ny[i] ~ X(1)\n\n}": "for i in 1..n {\n  y[i] ~ X(1)\n}",
    "ode t in ts from 0 {\nx=1\nx'=-x\n}": "ode t in ts from 0 {\n  x = 1\n  x' = -x\n}",
    "\n\na = 1\n\n\n\nb = 2\n\n": "a = 1\n\nb = 2",
    "a = 1 # c": "a = 1  # c",
    "   # own\na = 1": "# own\na = 1",
    "mu  ~ X(1)\ntau ~ X(1)": "mu  ~ X(1)\ntau ~ X(1)",
    "mu    ~ X(1)\ntau   ~ X(1)": "mu  ~ X(1)\ntau ~ X(1)",
    "mu  ~ X(1)\n\ntau ~ X(1)": "mu ~ X(1)\n\ntau ~ X(1)",
    "a = 1       # c\nbb = 2      # d": "a = 1       # c\nbb = 2      # d",
    "a = 1  # c\nlonger=2 # d": "a = 1  # c\nlonger = 2  # d",
    "a = f(1,\n      2)": "a = f(1,\n      2)",
    "a = 1 +\n 2": "a = 1 +\n  2",
    "\ta = 1": "a = 1",
}


@pytest.mark.parametrize("text", CASES)
def test_style(text: str) -> None:
    expected = f"{CASES[text]}\n"
    assert fmt(text) == expected
    assert fmt(expected) == expected
    assert tree(expected) == tree(text)


def test_nothing_stays_nothing() -> None:
    assert fmt("") == ""
    assert fmt("\n\n") == ""
    assert fmt("  # only\n") == "# only\n"


def test_mistakes_are_the_usual_ones() -> None:
    with pytest.raises(ModelError, match="breaks off"):
        fmt("a = ")
