"""Every node knows its place."""

from __future__ import annotations

import pytest

from ppl.language import syntax as s
from ppl.language.source import Source, Span
from tests.language.show import expression, nodes, program, statement


@pytest.mark.parametrize(
    "text",
    [
        "42",
        '"a text"',
        "name",
        "`mom hs`",
        "[1, 2]",
        "-x",
        "not x",
        "a + b",
        "a * b ^ c",
        "a @ b",
        "a and b",
        "a < b <= c",
        "a if b else c",
        "x[1, :, 2..3]",
        "f(a, k = b)",
        "sum(x[i] for i in 1..n)",
        "logp(y ~ 0 < Normal(mu, 1) < 2)",
    ],
)
def test_the_span_of_an_expression_is_its_text(text: str) -> None:
    found = expression(text)
    start = len("x = ")
    assert found.span == Span(start, start + len(text))


def test_the_spans_of_all_nodes_inside() -> None:
    text = 'x = a + b[i, 2..n] * f(c, k = -d) if not e else [g, "h"]'
    found = program(text).statements[0]
    assert isinstance(found, s.Assign)
    seen = {text[node.span.start : node.span.end] for node in nodes(found.value)}
    assert seen == {
        text[4:], "a + b[i, 2..n] * f(c, k = -d)", "a", "b[i, 2..n] * f(c, k = -d)", "b[i, 2..n]", "b", "i", "2..n",
        "2", "n", "f(c, k = -d)", "c", "-d", "d", "not e", "e", '[g, "h"]', "g", '"h"',
    }  # fmt: skip


def test_the_spans_of_a_distribution() -> None:
    text = "tau ~ 0 < StudentT(3, mu, scale = 2) < 1"
    found = statement(text)
    assert isinstance(found, s.Tilde)
    assert found.span == Span(0, len(text))
    assert found.dist.span == Span(6, len(text))
    assert text[found.dist.family.span.start : found.dist.family.span.end] == "StudentT"
    keyword = found.dist.arguments[2].keyword
    assert keyword is not None
    assert text[keyword.span.start : keyword.span.end] == "scale"
    seen = {text[node.span.start : node.span.end] for node in nodes(found.dist)}
    assert seen == {text[6:], "3", "mu", "2", "0", "1"}


@pytest.mark.parametrize(
    "text",
    [
        "y ~ Normal(0, 1)",
        "y[i] = 3",
        "f(x) = x",
        "for i in 1..n { x[i] = 1 }",
        "data only y[N]",
        "levels a = b, c",
        "factor x + 1",
        "ode t in ts from 0 { u = 1; u' = u }",
    ],
)
def test_the_span_of_a_statement_is_its_text(text: str) -> None:
    (found,) = program(f"# before\n\n  {text}  # after\n").statements
    start = len("# before\n\n  ")
    assert found.span == Span(start, start + len(text))


def test_spans_are_of_the_text_as_written_where_lines_go_on() -> None:
    text = "y ~ Normal(\n  mu,  # the mean\n  `long name`\n)\nz = 1"
    first, second = program(text).statements
    assert text[first.span.start : first.span.end] == text[: text.index("\nz")]
    assert isinstance(first, s.Tilde)
    value = first.dist.arguments[1].value
    assert text[value.span.start : value.span.end] == "`long name`"
    assert text[second.span.start : second.span.end] == "z = 1"


def test_places_count_from_one() -> None:
    source = Source("m.ppl", "ab\n\ncd")
    assert [source.place(offset) for offset in range(6)] == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2)]
    assert [source.line(number) for number in (1, 2, 3)] == ["ab", "", "cd"]
    assert Source("m.ppl", "").place(0) == (1, 1)
    assert Span(3, 5).to(Span(1, 4)) == Span(1, 5)
    assert source.cut(Span(0, 6)) == "ab cd"
