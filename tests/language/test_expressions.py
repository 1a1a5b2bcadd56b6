"""Precedence, associativity and the kinds of expression."""

from __future__ import annotations

import pytest

from tests.language.show import expression, grouped

# loosest first; the operators of one row bind equally and group to the left, but for ^
LEVELS = [["or"], ["and"], ["+", "-"], ["*", "/", "@"], ["^"]]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]


@pytest.mark.parametrize(("row", "op"), [(i, op) for i, row in enumerate(LEVELS) for op in row])
def test_every_operator_against_every_other(row: int, op: str) -> None:
    for other_row, others in enumerate(LEVELS):
        for other in others:
            text = grouped(f"a {op} b {other} c")
            if other_row > row or (other_row == row and op == "^"):
                assert text == f"(a {op} (b {other} c))"
            else:
                assert text == f"((a {op} b) {other} c)"


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons_lie_between_logic_and_arithmetic(op: str) -> None:
    assert grouped(f"a + b {op} c * d") == f"((a + b) {op} (c * d))"
    assert grouped(f"a {op} b and c {op} d") == f"((a {op} b) and (c {op} d))"
    assert grouped(f"not a {op} b") == f"(not (a {op} b))"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x^2", "(- (x ^ 2))"),
        ("x^-2", "(x ^ (- 2))"),
        ("x^-y^z", "(x ^ (- (y ^ z)))"),
        ("-x * y", "((- x) * y)"),
        ("x * -y", "(x * (- y))"),
        ("a - -b", "(a - (- b))"),
        ("+x", "(+ x)"),
        ("--x", "(- (- x))"),
        ("2^x[1]", "(2 ^ x[1])"),
        ("-f(x)^2", "(- (f(x) ^ 2))"),
        ("not a and b", "((not a) and b)"),
        ("not not a", "(not (not a))"),
        ("not a or b", "((not a) or b)"),
        ("a or b and not c", "(a or (b and (not c)))"),
        ("X @ b + a", "((X @ b) + a)"),
        ("a + X @ b * c", "(a + ((X @ b) * c))"),
        ("a / b / c", "((a / b) / c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a * (b + c)", "(a * (b + c))"),
    ],
)
def test_grouping(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b <= c", "(a < b <= c)"),
        ("(a < b) < c", "((a < b) < c)"),
        ("a == b", "(a == b)"),
        ('school == "Choate"', '(school == "Choate")'),
        ("1 > x != y >= z", "(1 > x != y >= z)"),
    ],
)
def test_chains_of_comparisons(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a if c else b", "(a if c else b)"),
        ("a if c else b if d else e", "(a if c else (b if d else e))"),
        ("a + 1 if c and d else b or e", "((a + 1) if (c and d) else (b or e))"),
        ("(a if c else b) + 1", "((a if c else b) + 1)"),
        ("[a if c else b, d]", "[(a if c else b), d]"),
    ],
)
def test_conditionals(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[1]", "x[1]"),
        ("x[1, 2]", "x[1, 2]"),
        ("x[:, 2]", "x[:, 2]"),
        ("x[2..n]", "x[2..n]"),
        ("x[1..5]", "x[1..5]"),
        ("x[n-1..n+1]", "x[(n - 1)..(n + 1)]"),
        ("x[i][j]", "x[i][j]"),
        ("x[y[i]]", "x[y[i]]"),
        ("f(x)[1]", "f(x)[1]"),
        ("[1, 2][1]", "[1, 2][1]"),
        ("(a + b)[1]", "(a + b)[1]"),
        ('alpha["Aitkin"]', 'alpha["Aitkin"]'),
        ("[[1, 2], [3, 4]]", "[[1, 2], [3, 4]]"),
    ],
)
def test_indices_and_lists(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f()", "f()"),
        ("f(a)", "f(a)"),
        ("f(a, b + 1)", "f(a, (b + 1))"),
        ("mean(x, by = county)", "mean(x, by = county)"),
        ("columns(x1..x20)", "columns(x1..x20)"),
        ("sum(x[i] for i in 1..n)", "sum(x[i] for i in 1..n)"),
        ("sum(x[i, j] for i in 1..n, j in 1..i)", "sum(x[i, j] for i in 1..n, j in 1..i)"),
        ("logp(y ~ Normal(mu, 1))", "logp(y ~ Normal(mu, 1))"),
        ("logp(y ~ 0 < Normal(mu, 1))", "logp(y ~ 0 < Normal(mu, 1))"),
        ("f(a == b)", "f((a == b))"),
    ],
)
def test_calls(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize("text", ["Phi(x)", "exp(-x)", "f (x)", "f( x )"])
def test_a_function_may_be_called_with_blanks_and_phi_is_one(text: str) -> None:
    assert type(expression(text)).__name__ == "Call"


def test_parentheses_leave_no_trace() -> None:
    assert grouped("((((x))))") == "x"
