"""Any text gives a tree or a `ModelError`; large and deep models parse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ppl
from ppl.language import syntax as s
from ppl.language.build import MOST_NESTED
from ppl.language.errors import ModelError
from ppl.language.parser import parse
from ppl.language.source import Source
from tests.language.show import expression, nodes, program

QUIET = settings(derandomize=True, deadline=None, database=None, max_examples=300)
EIGHT_SCHOOLS = """\
# Eight schools: the effect of coaching
mu  ~ Normal(0, 5)
tau ~ HalfCauchy(5)
theta[school] ~ Normal(mu,  # the common mean
                       tau)
first = 1 if school == "Choate" else 0
scaled(x) = x / sd(x)
y ~ Normal(theta[school] + first^2 - [1, 2][1], `sigma`)
"""
WORDS = "mu y theta σ Normal normal f log for in if else and or not data only missing levels factor ode from import"
SIGNS = """1 2.5 1e9 .5 1e999 ( ) [ ] { } ~ = == != < <= > + - * / @ ^ , : .. . ; # <- ** // /* */ && | % $ ? ! real T(
    "a" " `x` ` ' \\ µ"""
TOKENS = (*WORDS.split(), *SIGNS.split(), "# c\n", "\n", "\t", "\0")


def tree_or_mistakes(text: str) -> int:
    """How many mistakes a text has; every one has a place in it and can be shown."""
    try:
        parse(Source("any.ppl", text))
    except ModelError as error:
        assert error.mistakes
        assert "any.ppl" in str(error)
        for mistake in error.mistakes:
            assert mistake.span is None or 0 <= mistake.span.start <= mistake.span.end <= len(text) + 1
        return len(error.mistakes)
    return 0


@QUIET
@given(st.text(max_size=80))
@example("\0")
@example("\ud800")
@example("x = \u2028 1")
@example("(((((")
@example("}}}}{{{{")
def test_any_text(text: str) -> None:
    tree_or_mistakes(text)


@QUIET
@given(st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from(["", " "])), max_size=25))
def test_any_soup_of_tokens(soup: list[tuple[str, str]]) -> None:
    tree_or_mistakes("".join(token + blank for token, blank in soup))


@QUIET
@given(st.integers(0, len(EIGHT_SCHOOLS)), st.integers(0, 3), st.sampled_from(("", *TOKENS)))
def test_a_slip_in_one_place_makes_few_mistakes(place: int, lost: int, put: str) -> None:
    assert tree_or_mistakes(EIGHT_SCHOOLS[:place] + put + EIGHT_SCHOOLS[place + lost :]) <= 3


def test_a_sum_of_5000_terms() -> None:
    found = expression(" + ".join(f"x{i}" for i in range(5000)))
    terms = 1
    while isinstance(found, s.Binary):
        terms, found = terms + 1, found.left
    assert terms == 5000


def test_a_model_of_1000_lines() -> None:
    lines = [f"b{i}[group] ~ Normal(mu, 1) > 0  # of {i}\nc{i} = b{i}[group] * x{i}" for i in range(500)]
    assert len(program("\n".join(lines)).statements) == 1000


NESTINGS = {
    "parentheses": lambda depth: "(" * depth + "x" + ")" * depth,
    "calls": lambda depth: "f(" * depth + "x" + ")" * depth,
    "lists": lambda depth: "[" * depth + "x" + "]" * depth,
    "indices": lambda depth: "x[" * depth + "1" + "]" * depth,
    "indices in a row": lambda depth: "x" + "[1]" * depth,
    "signs": lambda depth: "-" * depth + "x",
    "negations": lambda depth: "not " * depth + "x",
    "powers": lambda depth: "x^" * depth + "x",
    "choices": lambda depth: "x if c else " * depth + "x",
    "sums to the right": lambda depth: "x + (" * depth + "x" + ")" * depth,
}


@pytest.mark.parametrize("nest", NESTINGS.values(), ids=NESTINGS)
def test_nesting_has_a_limit(nest: Callable[[int], str]) -> None:
    assert sum(1 for _ in nodes(expression(nest(MOST_NESTED))))
    with pytest.raises(ModelError) as caught:
        expression(nest(MOST_NESTED + 1))
    assert [mistake.kind for mistake in caught.value.mistakes] == ["nested-too-deeply"]


@pytest.mark.parametrize("nest", [NESTINGS["parentheses"], NESTINGS["signs"], NESTINGS["sums to the right"]])
def test_what_parses_is_understood_too(nest: Callable[[int], str]) -> None:
    model = ppl.from_text(f"x ~ Normal(0, 1)\ny ~ Normal({nest(MOST_NESTED - 2)}, 1)")
    assert model.condition({"y": [1.0, 2.0]}).log_density({"x": 0.5}) < 0


def test_brackets_beyond_reason() -> None:
    for text in ("(" * 100_000, "x = " + "[" * 100_000 + "]" * 100_000, "f(" * 50_000):
        assert tree_or_mistakes(text) == 1


def test_a_text_beyond_reason() -> None:
    with pytest.raises(ModelError, match="more than the 2,000,000"):
        program("#" * 2_000_001)
