"""parse error -> mistake: what was most likely meant where the grammar does not fit, and how much to leave out."""

from __future__ import annotations

import re
from collections.abc import Callable

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ppl.language import foreign, lines, mistakes
from ppl.language.build import is_family_name
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.values import dataclass

KEYWORDS = ("for", "in", "if", "else", "and", "or", "not", "data", "only", "missing", "levels", "factor", "ode", "from")
_AFTER_VALUE = ("if", "else", "and", "or", "in", "from", "for")  # keywords that may follow a complete expression
_INSIDE_A_LINE = ("~", "=", ",")  # what a parser that waits for a closing bracket may stumble over first
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_TABLE = re.compile(r"\s*([^\n,~=()\[\]{}#]+(,[^\n,~=()\[\]{}#]*)+\n){2}")  # two lines of cells


@dataclass(frozen=True, slots=True)
class _Stumble:
    """Where the parser stumbled.

    `found` is the text it did not expect, at `span`, empty at the end of the model; `statement` the extent of the
    statement around it; `previous` the mark before it, and `open` the brackets that are open there, innermost last.
    `joined` is `text` with the line ends blanked that end no statement; `untouched` says that no statement has been
    blanked out of `text` yet.
    """

    text: str
    untouched: bool
    joined: str
    found: str
    span: Span
    statement: Span
    previous: lines.Mark | None
    open: list[lines.Mark]

    @property
    def bracket(self) -> lines.Mark | None:
        return self.open[-1] if self.open else None

    @property
    def before(self) -> str:
        """The text of the statement before the place."""
        return self.joined[self.statement.start : self.span.start]

    @property
    def follows_value(self) -> bool:
        return self.previous is not None and self.previous.kind in ("word", "close", "quoted")


Said = tuple[Mistake, Span] | None  # the mistake, and the part of the text to leave out


def explain(text: str, untouched: bool, joined: str, error: UnexpectedInput) -> tuple[Mistake, Span]:
    """What a parse error means, and the part of the text to leave out before parsing on."""
    start, found = _offending(joined, error)
    stumble = _Stumble(
        text, untouched, joined, found, Span(start, start + max(len(found), 1)), lines.statement_around(joined, start),
        next(reversed(list(lines.scan(joined[:start]))), None),
        lines.open_brackets(joined, start),
    )  # fmt: skip
    for look in _LOOKS:
        said = look(stumble)
        if said is not None:
            return said
    return mistakes.unexpected_text(stumble.span, found), stumble.statement


def _offending(joined: str, error: UnexpectedInput) -> tuple[int, str]:
    """Offset and text of what the parser stumbled over; the text is empty at the end of the model."""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return error.token.start_pos or 0, str(error.token)
    if isinstance(error, UnexpectedCharacters):
        start = error.pos_in_stream or 0
        mark = next((m for m in lines.scan(joined[start:])), None)
        return start, mark.text if mark is not None else joined[start]
    return len(joined.rstrip()), ""


# -- one look a habit, the most telling first -------------------------------------------------------------------------


def _not_a_model(at: _Stumble) -> Said:
    """The files in the wrong order: a table, or JSON."""
    if not at.untouched:
        return None
    first = len(at.text) - len(at.text.lstrip())
    table = _TABLE.match(at.text)
    in_table = table is not None and at.found == "," and at.span.start < table.end()
    if in_table or (at.found == "{" and at.span.start == first):
        return mistakes.looks_like_data(at.span), Span(0, len(at.text))
    return None


def _foreign_comment(at: _Stumble) -> Said:
    if not at.joined.startswith("/*", at.span.start):
        return None
    end = at.joined.find("*/", at.span.start)
    hole = Span(at.span.start, len(at.text) if end < 0 else end + 2)
    return mistakes.unexpected_text(Span(at.span.start, at.span.start + 2), "/*"), hole


def _foreign_continuation(at: _Stumble) -> Said:
    if at.found != "\\":
        return None
    following = lines.statement_around(at.joined, min(at.statement.end + 1, len(at.joined)))
    return mistakes.unexpected_text(at.span, at.found), Span(at.statement.start, following.end)


def _foreign_turn(at: _Stumble) -> Said:
    whole = _with_brace(at)
    turn = foreign.turn(at.joined[whole.start : whole.end])
    if turn is None:
        return None
    start, end, mend = turn
    span = Span(whole.start + start, whole.start + end)
    hole = whole
    if at.joined[span.end - 1] == "{":  # a block of Stan or BUGS: nothing that follows is of this language
        hole = Span(whole.start, len(at.text))
    elif at.joined[whole.end - 1] == "{":
        hole = Span(whole.start, lines.statement_around(at.joined, whole.end - 1).end)
    return mistakes.foreign_turn(span, " ".join(at.joined[span.start : span.end].split()), mend), hole


def _with_brace(at: _Stumble) -> Span:
    """The statement, with the line before it where it begins with a brace, or the brace that follows on the next."""
    start, end = at.statement.start, at.statement.end
    if at.found == "{" and not at.before.strip():
        start = lines.statement_around(at.joined, max(0, len(at.joined[: at.span.start].rstrip()) - 1)).start
    following = re.compile(r"\s*\{").match(at.joined, end)
    return Span(start, end if following is None else following.end())


def _line_broke_off(at: _Stumble) -> Said:
    """A line that ends in an operator, and the next one begins another statement."""
    begins = at.found in ("~", "=") or (at.found in KEYWORDS and lines.starts_line(at.text, at.span.start))
    end = at.text.rfind("\n", at.statement.start, at.span.start)
    if not begins or end < 0 or at.bracket is not None:
        return None
    last = next(reversed(list(lines.scan(at.joined[at.statement.start : end]))), None)
    if last is None or last.kind != "operator":
        return None
    start = at.statement.start + last.start
    span = Span(start, start + len(last.text))
    return mistakes.statement_breaks_off(span, f"something must follow the `{last.text}`"), Span(
        at.statement.start, end
    )


def _brackets(at: _Stumble) -> Said:
    bracket = at.bracket
    if bracket is not None and _left_open(at, bracket):
        whole = lines.statement_around(at.joined, bracket.start)
        mistake = mistakes.bracket_never_closed(Span(bracket.start, bracket.end), bracket.text)
        end = max(at.span.start, bracket.end)
        return mistake, Span(whole.start, _line_end(at, end) if at.found in _INSIDE_A_LINE else end)
    if at.found == ";" and bracket is not None and bracket.kind == "open":
        mistake = mistakes.unexpected_text(at.span, ";", "values inside brackets are separated by commas")
        return mistake, Span(at.statement.start, _line_end(at, at.span.end))
    if at.found not in _CLOSING.values() or (at.found == "}" and bracket is not None and bracket.text == "{"):
        return None
    if bracket is None or bracket.text == "{":
        hole = at.span if at.found == "}" else at.statement
        return mistakes.bracket_never_opened(at.span, at.found), hole
    if _CLOSING[bracket.text] == at.found:
        return None
    line = at.joined.count("\n", 0, bracket.start) + 1
    whole = Span(at.statement.start, _line_end(at, at.span.end) if at.found == "}" else at.statement.end)
    return mistakes.bracket_closed_wrongly(at.span, bracket.text, at.found, line), whole


def _left_open(at: _Stumble, bracket: lines.Mark) -> bool:
    """Whether the parser stumbled because a bracket was left open, and not over a slip between brackets."""
    if not at.found:
        return True
    if bracket.kind != "open":
        return False
    in_block = at.found == "}" and any(mark.text == "{" for mark in at.open)
    if in_block or lines.starts_line(at.text, at.span.start):
        return True
    return at.found in _INSIDE_A_LINE and not all(lines.is_closed(at.joined, mark) for mark in at.open)


def _line_end(at: _Stumble, offset: int) -> int:
    end = at.text.find("\n", offset)
    return len(at.text) if end < 0 else end


def _foreign_sign(at: _Stumble) -> Said:
    for width in (3, 2):
        for start in range(max(0, at.span.start - width + 1), at.span.start + 1):
            sign = at.joined[start : start + width]
            if len(sign) == width and sign in foreign.SIGNS:
                return mistakes.unexpected_text(Span(start, start + width), sign), at.statement
    return None


def _open_quote(at: _Stumble) -> Said:
    quote = at.found[:1]
    if quote in ('"', "`") and quote and (len(at.found) == 1 or not at.found.endswith(quote)):
        return mistakes.quote_never_closed(at.span, quote), at.statement
    return None


def _too_early(at: _Stumble) -> Said:
    """The end of the statement, where something must follow."""
    if at.found not in ("", "\n", ";", "}"):
        return None
    words = [mark.text for mark in lines.scan(at.before)]
    mend = None
    if "if" in words and "else" not in words:
        mend = "an `if` has an `else`: `a if condition else b`"
    elif at.previous is not None and at.previous.kind == "operator":
        mend = f"something must follow the `{at.previous.text}`"
    end = len(at.joined[: at.span.start].rstrip())
    return mistakes.statement_breaks_off(Span(end, end + 1), mend), at.statement


def _tilde_or_equals(at: _Stumble) -> Said:
    if at.found not in ("~", "="):
        return None
    previous = at.previous.text if at.previous is not None and at.before.strip() else ""
    if not previous:
        mend = f"a name stands left of `{at.found}`"
        return mistakes.unexpected_text(at.span, at.found, mend), at.statement
    for mark in lines.scan(at.before):
        if mark.text == "~" and at.found == "~":
            mend = "a statement has one `~`, after the name it is about"
            return mistakes.unexpected_text(at.span, at.found, mend), at.statement
    first, second = [*lines.scan(at.before), None][:2]
    assert first is not None
    for word, start in ((first.text, at.statement.start + first.start), (previous, at.span.start)):
        if word == "factor" == first.text and at.found == "~" and second is not None and second.text != "[":
            return mistakes.factor_with_tilde(at.span), at.statement
        if word in KEYWORDS:
            start = at.joined.rfind(word, at.statement.start, start + len(word))
            return mistakes.keyword_as_name(Span(start, start + len(word)), word), at.statement
    if at.found == "=":
        return mistakes.assignment_in_expression(at.span), at.statement
    return mistakes.unexpected_text(at.span, at.found), at.statement


def _keyword(at: _Stumble) -> Said:
    if at.found in KEYWORDS and not (at.follows_value and at.found in _AFTER_VALUE):
        return mistakes.keyword_as_name(at.span, at.found), at.statement
    if at.found == "[" and at.previous is not None and at.previous.text in KEYWORDS:
        return mistakes.keyword_as_name(Span(at.previous.start, at.previous.end), at.previous.text), at.statement
    return None


def _nothing_between(at: _Stumble) -> Said:
    """Two values side by side."""
    if not at.follows_value or at.found in KEYWORDS or not (at.found[0].isalnum() or at.found[0] in '_"`.('):
        return None
    mend = "put an operator or a comma before it"
    after = at.joined[at.span.end :].lstrip(" \t")
    assert at.previous is not None
    if at.bracket is None and is_family_name(at.found) and after.startswith("("):
        mend = f"write `~` before it: `... ~ {at.found}(...)`"
    elif at.bracket is None and re.match(r"(\[[^\]\n]*\]\s*)?[~=]", after):
        mend = "each statement has a line of its own"
    elif at.previous.text[0].isdigit() and at.found[0].isalpha():
        mend = f"a product is written `{at.previous.text} * {at.found}`"
    elif at.previous.kind == "word" and at.found[0].isalpha():
        mend += f"; a column that is called so is written in backticks: `{at.previous.text} {at.found}`"
    return mistakes.operator_missing(at.span, at.found, mend), at.statement


def _operator(at: _Stumble) -> Said:
    """An operator, a comma or a closing bracket where a value should stand."""
    if not at.before.strip() and re.fullmatch(r"[-+*/@^]|and|or|if|else", at.found):
        return mistakes.line_begins_with_operator(at.span, at.found), at.statement
    if at.found == "," and at.bracket is None:
        mend = "a statement is about one name, and each has a line of its own"
        return mistakes.unexpected_text(at.span, at.found, mend), at.statement
    previous = at.previous
    if previous is None or previous.start < at.statement.start:
        return None
    if at.found == "'" and at.follows_value and previous.end == at.span.start:
        return mistakes.unexpected_text(at.span, at.found, "a matrix is turned by `transpose(x)`"), at.statement
    place = Span(previous.start, previous.end)
    if at.found in (")", "]") and previous.text == ",":
        in_index = at.found == "]"
        return mistakes.nothing_after_comma(place, in_index), at.statement
    if at.found == "]" and previous.text == "[":
        return mistakes.empty_bracket(Span(previous.start, at.span.end)), at.statement
    if (previous.kind == "operator" and re.fullmatch(r"[*/@^,=)\]]|[<>!=]=|[<>]|and|or", at.found)) or (
        previous.text == ".." and at.found == "{"
    ):
        mend = f"a value must stand between it and the `{previous.text}`"
        return mistakes.unexpected_text(at.span, at.found, mend), at.statement
    return None


_LOOKS: tuple[Callable[[_Stumble], Said], ...] = (
    _not_a_model,
    _foreign_comment,
    _foreign_continuation,
    _foreign_turn,
    _line_broke_off,
    _brackets,
    _foreign_sign,
    _open_quote,
    _too_early,
    _tilde_or_equals,
    _keyword,
    _nothing_between,
    _operator,
)
