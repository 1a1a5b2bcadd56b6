"""Statements: what becomes of each form."""

from __future__ import annotations

import pytest

from ppl.language import syntax as s
from ppl.language.errors import ModelError
from tests.language.show import program, show_statement, statement


def shown(text: str) -> str:
    return show_statement(statement(text))


@pytest.mark.parametrize(
    "text",
    [
        "mu ~ Normal(0, 1)",
        "theta[school] ~ Normal(mu, tau)",
        "theta[M, K] ~ Dirichlet(1)",
        "A[n, :] ~ Normal(0, 1)",
        "b ~ Flat()",
        "y ~ Bernoulli(logit = eta)",
        "y ~ Binomial(n, logit = eta)",
        "log(earn) ~ Normal(mu, 1)",
        "sum(phi) ~ Normal(0, 0.001)",
        "3 ~ Poisson(rate)",
        "mu ~ Ordered(Normal(0, 1))",
        "y ~ Mixture(w, Normal(0, 1), Normal(5, 1))",
        "y ~ Censored(Normal(mu, 1), upper = 3)",
        "s = sigma",
        "s[3] = 2",
        "s[i, j] = x[j, i]",
        "factor x[1]",
        "data y[N], x",
        "data only K, y[N, K]",
        "data grade missing 9, w",
        "levels team = home, away",
        'levels size = "S", "M", "L"',
    ],
)
def test_a_statement_reads_as_it_is_written(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x ~ Normal(0, 1) > 0", "x ~ 0 < Normal(0, 1)"),
        ("x ~ Normal(0, 1) >= 0", "x ~ 0 <= Normal(0, 1)"),
        ("x ~ 9 >= Poisson(3) > 2", "x ~ 2 < Poisson(3) <= 9"),
        ("x ~ 2 <= Poisson(3) < 9", "x ~ 2 <= Poisson(3) < 9"),
        ("x ~ 0 < Normal(0, 1)", "x ~ 0 < Normal(0, 1)"),
        ("x ~ Normal(0, 1) < 2", "x ~ Normal(0, 1) < 2"),
        ("x ~ 2 > Normal(0, 1)", "x ~ Normal(0, 1) < 2"),
        ("x ~ 0 < Normal(0, 1) < 2", "x ~ 0 < Normal(0, 1) < 2"),
        ("x ~ 2 > Normal(0, 1) > 0", "x ~ 0 < Normal(0, 1) < 2"),
        ("x ~ 0 < Flat() < 1 - alpha", "x ~ 0 < Flat() < (1 - alpha)"),
        ("x ~ Ordered(Normal(0, 1) > 0)", "x ~ Ordered(0 < Normal(0, 1))"),
        ("x ~ (Normal(0, 1))", "x ~ Normal(0, 1)"),
    ],
)
def test_bounds(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x ~ 0 < 1 < Normal(0, 1)",
        "x ~ Normal(0, 1) > 0 > -1",
        "x ~ Normal(0, 1) == 0",
        "x ~ Normal(0, 1) > 0 < 1",
        "x ~ 0 < Normal(0, 1) > 1",
        "x ~ Normal(0, 1) != 3",
    ],
)
def test_bounds_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        statement(text)
    assert [mistake.kind for mistake in caught.value.mistakes] == ["strange-bounds"]


def test_one_line_functions() -> None:
    assert shown("f(x) = x^2") == "f(x) := (x ^ 2)"
    assert shown("hill(x, a, b) = a * x / (b + x)") == "hill(x, a, b) := ((a * x) / (b + x))"
    assert shown("two() = 2") == "two() := 2"


def test_plates() -> None:
    text = "for i in 1..n { x[i] ~ Normal(0, 1); y[i] ~ Normal(x[i], 1) }"
    assert shown(text) == text
    assert shown("for i in 1..n, t in 2..T[i] {\n  y[i, t] ~ Normal(y[i, t-1], 1)\n}") == (
        "for i in 1..n, t in 2..T[i] { y[i, t] ~ Normal(y[i, (t - 1)], 1) }"
    )
    assert shown("for i in 1..n {\n\n for j in 1..m { a[i, j] = 1 } ; ; b[i] = 2\n}") == (
        "for i in 1..n { for j in 1..m { a[i, j] = 1 }; b[i] = 2 }"
    )
    assert shown("for i in 1..n {}") == "for i in 1..n {  }"


def test_data_items() -> None:
    found = statement("data only K, y[N, 3], grade missing -1")
    assert isinstance(found, s.Data)
    assert found.only
    assert [item.name.name for item in found.items] == ["K", "y", "grade"]
    assert [len(item.axes) for item in found.items] == [0, 2, 0]
    assert isinstance(found.items[2].missing, s.Unary)


def test_differential_equations() -> None:
    text = "ode t in times from 0 {\n  u = u0; v = v0\n  u' = a*u - b*u*v\n  v' = -c*v\n}"
    assert shown(text) == "ode t in times from 0 { u from u0 by ((a * u) - ((b * u) * v)); v from v0 by ((- c) * v) }"


@pytest.mark.parametrize(("text", "name"), [("u = 1", "u"), ("u = 1; u' = u; v' = 2", "v")])
def test_a_state_has_a_start_and_a_slope(text: str, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        program(f"ode t in ts from 0 {{ {text} }}")
    (mistake,) = caught.value.mistakes
    assert mistake.kind == "half-an-equation"
    assert f"`{name}`" in mistake.message


def test_program_order_is_kept() -> None:
    found = program("b = a\na = 1\ny ~ Normal(b, 1)").statements
    assert [show_statement(line) for line in found] == ["b = a", "a = 1", "y ~ Normal(b, 1)"]
