"""How mistakes are shown: the line, the caret, the order, the nearest name."""

from __future__ import annotations

import pytest

from ppl.language.errors import MOST_SHOWN, WIDEST_LINE, DataError, Mistake, ModelError, nearest, render
from ppl.language.source import Source, Span


def shown(text: str, start: int, end: int, mend: str | None = None) -> list[str]:
    return render(Source("m.ppl", text), [Mistake("kind", "it is wrong", Span(start, end), mend)]).split("\n")


def test_message_line_caret_and_mend() -> None:
    assert shown("a = 1\nb = xyz + 1", 10, 13, "first\nsecond") == [
        "m.ppl:2:5: error: it is wrong",
        "    b = xyz + 1",
        "        ^~~",
        "  first",
        "  second",
    ]


def test_a_mistake_without_a_place() -> None:
    assert render(Source("m.ppl", ""), [Mistake("kind", "it is wrong", None, "mend it")]) == (
        "m.ppl: error: it is wrong\n  mend it"
    )


def test_the_caret_stands_under_wide_letters_and_behind_tabs() -> None:
    assert shown("漢字 + xyz", 5, 8)[2] == " " * 4 + " " * 7 + "^~~"
    assert shown("漢字 + xyz", 0, 2)[2] == " " * 4 + "^~~~"
    assert shown("\tx\t+ yz", 5, 7)[2] == "    \t \t  ^~"
    assert shown("e\u0301 + x", 5, 6)[2] == "        ^"


def test_the_caret_at_the_end_of_a_line_and_of_the_text() -> None:
    assert shown("ab\ncd", 2, 3)[1:3] == ["    ab", "      ^"]
    assert shown("ab", 2, 3)[1:3] == ["    ab", "      ^"]
    assert shown("", 0, 1)[1:3] == ["", "    ^"]


def test_a_span_over_several_lines_is_marked_on_its_first() -> None:
    assert shown("abc\ndef", 1, 7)[1:3] == ["    abc", "     ^~"]


@pytest.mark.parametrize("start", [0, 50, 250, 499])
def test_a_long_line_is_cut_around_the_place(start: int) -> None:
    text = "".join(chr(0x4E00 + i) if i == start else "x" for i in range(500))
    _, line, caret = shown(text, start, start + 1)
    assert len(line) <= WIDEST_LINE + 4
    assert line[len(caret) - 2] == text[start]  # the caret is two columns wide, as the letter is


def test_mistakes_come_in_the_order_of_the_text_and_once() -> None:
    source = Source("m.ppl", "abc")
    late, early, nowhere = (
        Mistake("k", name, span) for name, span in (("late", Span(2, 3)), ("early", Span(0, 1)), ("nowhere", None))
    )
    error = ModelError(source, [late, early, late, nowhere])
    assert [mistake.message for mistake in error.mistakes] == ["nowhere", "early", "late"]


def test_no_more_than_twenty_are_shown() -> None:
    found = [Mistake("k", f"mistake {i}", Span(i, i + 1)) for i in range(MOST_SHOWN + 5)]
    text = render(Source("m.ppl", "x" * 100), found)
    assert text.count("error:") == MOST_SHOWN
    assert text.endswith("\n... and more")


def test_the_exit_code_is_that_of_data_only_where_all_mistakes_lie_in_the_data() -> None:
    source = Source("m.ppl", "abc")
    ours, theirs = Mistake("k", "model", Span(0, 1)), Mistake("k", "data", Span(1, 2), in_data=True)
    assert ModelError(source, [theirs]).exit_code == DataError.exit_code == 5
    assert ModelError(source, [ours, theirs]).exit_code == ModelError.exit_code == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgma", "sigma"),
        ("Sigma", "sigma"),
        ("kidscore", "kid_score"),
        ("kid_scor", "kid_score"),
        ("temperature", None),
        ("x", None),
        ("i", None),
        ("MU", "mu"),
        ("", None),
    ],
)
def test_the_nearest_name(name: str, expected: str | None) -> None:
    assert nearest(name, ["sigma", "kid_score", "mu", "pi", "xy"]) == expected
    assert nearest(name, []) is None
