"""Numbers, names, texts, comments, and where a line ends."""

from __future__ import annotations

import pytest

from ppl.language import syntax as s
from ppl.language.errors import ModelError
from tests.language.show import expression, grouped, program, show_statement, statement


@pytest.mark.parametrize(
    ("text", "value", "is_integer"),
    [
        ("0", 0.0, True),
        ("42", 42.0, True),
        ("007", 7.0, True),
        ("1.", 1.0, False),
        (".5", 0.5, False),
        ("1.5", 1.5, False),
        ("1e3", 1000.0, False),
        ("1E3", 1000.0, False),
        ("1.5e-3", 0.0015, False),
        ("2.e+2", 200.0, False),
        (".5e1", 5.0, False),
        ("9007199254740992", 2.0**53, True),
        ("0e5", 0.0, False),
        ("0.000", 0.0, False),
        ("1.7976931348623157e308", 1.7976931348623157e308, False),
    ],
)
def test_numbers(text: str, value: float, is_integer: bool) -> None:
    found = expression(text)
    assert isinstance(found, s.Number)
    assert (found.value, found.is_integer) == (value, is_integer)


@pytest.mark.parametrize(
    "text",
    ["1e999", "1e-999", "9007199254740993", "9" * 400, "9" * 5000, "0." + "0" * 400 + "1", "1e", "1.2.3", "1_000"],
)
def test_numbers_that_64_bits_do_not_hold(text: str) -> None:
    with pytest.raises(ModelError):
        expression(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[1..5]", "x[1..5]"),
        ("x[1 .. 5]", "x[1..5]"),
        ("x[1.5..2.5]", "x[1.5..2.5]"),
        ("x[1...5]", "x[1..0.5]"),
        ("x[.5...5]", "x[0.5..0.5]"),
        ("x[a..b]", "x[a..b]"),
    ],
)
def test_a_range_is_no_decimal_point(text: str, expected: str) -> None:
    assert grouped(text) == expected


@pytest.mark.parametrize("text", ["x[2..]", "x[..2]", "1..5", "x[1..2..3]"])
def test_ranges_have_two_ends_and_stand_in_brackets(text: str) -> None:
    with pytest.raises(ModelError):
        expression(text)


@pytest.mark.parametrize(
    "name", ["x", "_x", "x1", "lambda", "beta", "N", "f", "σ", "θ_1", "größe", "均值", "скорость", "e1", "from", "only"]
)
def test_letters_of_any_script_are_letters(name: str) -> None:
    found = statement(f"{name} = 1")
    assert isinstance(found, s.Assign)
    assert found.name.name == name


@pytest.mark.parametrize("name", ["mom hs", "in", "a-b", "2nd", "%", "data", "x.y", "‘’"])
def test_backticks_make_any_column_a_name(name: str) -> None:
    assert grouped(f"`{name}` + 1") == f"({name} + 1)"
    found = statement(f"`{name}` ~ Normal(0, 1)")
    assert isinstance(found, s.Tilde)
    assert found.target == s.Name(name, found.target.span)


@pytest.mark.parametrize("word", ["for", "in", "if", "else", "and", "or", "not", "data", "levels", "factor", "ode"])
def test_keywords_are_no_names(word: str) -> None:
    with pytest.raises(ModelError) as caught:
        program(f"{word} ~ Normal(0, 1)")
    assert len(caught.value.mistakes) == 1


def test_texts_hold_anything_but_quotes_and_line_ends() -> None:
    found = expression('"St. Paul\'s # (1), `x` ~ y"')
    assert isinstance(found, s.String)
    assert found.value == "St. Paul's # (1), `x` ~ y"


def lines_of(text: str) -> list[str]:
    return [show_statement(found) for found in program(text).statements]


def test_comments_go_to_the_end_of_the_line() -> None:
    text = 'a = 1 # one; b = 2\n# b = 3 ( [ {\n#\nc = "#" # "\n'
    assert lines_of(text) == ["a = 1", 'c = "#"']


@pytest.mark.parametrize(
    "text", ["a = 1; b = 2", "a = 1;b = 2;", ";;a = 1;\n;b = 2;;", "a = 1\n\n\nb = 2", "\na = 1\nb = 2"]
)
def test_statements_end_at_line_ends_and_semicolons(text: str) -> None:
    assert lines_of(text) == ["a = 1", "b = 2"]


@pytest.mark.parametrize(
    "text",
    [
        "a = f(1,\n  2)",
        "a = f(\n1, 2\n)",
        "a = f(1\n, 2)",
        "a = f(1,  # first\n  # in between\n\n 2)",
        "a =\n f(1, 2)",
        "a = f(1, 2\n  )",
    ],
)
def test_a_line_goes_on_inside_brackets_and_after_operators(text: str) -> None:
    assert lines_of(f"{text}\nb = 2") == ["a = f(1, 2)", "b = 2"]


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "^", "@", "==", "<", ">=", "and", "or"])
def test_a_line_goes_on_after_any_operator(op: str) -> None:
    assert lines_of(f"a = x {op}\n\n  # why\n y\nb = 2") == [f"a = (x {op} y)", "b = 2"]


def test_a_line_goes_on_after_if_else_not_tilde_and_comma() -> None:
    text = "a = x if\n c else\n y\nb = not\n c\ny ~\n Normal(0, 1)\ndata u,\n v"
    assert lines_of(text) == ["a = (x if c else y)", "b = (not c)", "y ~ Normal(0, 1)", "data u, v"]


def test_names_that_begin_like_operators_end_a_line() -> None:
    assert lines_of("a = order\nb = notable\nc = island") == ["a = order", "b = notable", "c = island"]


def test_blanks_of_all_kinds_mean_nothing() -> None:
    assert lines_of("\ufeff a\u00a0=\t1 +\f2  \n   b=3") == ["a = (1 + 2)", "b = 3"]


def test_an_empty_text_is_an_empty_program() -> None:
    assert lines_of("") == lines_of("\n \n# nothing\n;") == []
