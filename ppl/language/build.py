"""parse tree -> syntax tree, rule by rule as Lark reduces them; what LALR could not tell apart is told apart here."""

from __future__ import annotations

import re
from typing import Any

from lark import Token
from lark.visitors import Transformer_NonRecursive, v_args

from ppl.language import foreign, mistakes
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Source, Span

MOST_NESTED = 200  # levels; the passes over the tree are recursive, a long chain of + or * is not nested
CAPITAL_FUNCTIONS = ("Phi",)  # the functions whose names begin with a capital, as distributions do
_RESERVED = ("for", "in", "if", "else", "and", "or", "not")  # where no keyword can stand the lexer reads a name
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@v_args(meta=True)
class Builder(Transformer_NonRecursive[Token, tuple[s.Statement, ...]]):
    """Builds the tree bottom-up and gathers the mistakes that the grammar lets through in `found`."""

    def __init__(self, source: Source) -> None:
        super().__init__(visit_tokens=False)
        self.source = source
        self.found: list[Mistake] = []
        self._reserved_used: set[str] = set()
        self._heights: dict[int, int] = {}
        self._kept: list[Any] = []  # ids stay unique only while the nodes live

    # -- nesting ------------------------------------------------------------------------------------------------------

    def _node(self, node: Any, *children: Any, spine: Any = None) -> Any:
        """Remember how deep a node is; its `spine` is walked in a loop by every pass and does not count."""
        height = max([self._height(child) + 1 for child in children], default=1)
        height = max(height, self._height(spine))
        if height > MOST_NESTED:
            self.found.append(mistakes.nested_too_deeply(node.span, MOST_NESTED))
            height = 0  # said once
        self._heights[id(node)] = height
        self._kept.append(node)
        return node

    def _height(self, node: Any) -> int:
        return self._heights.get(id(node), 0)

    def _name(self, token: Token) -> s.Name:
        assert token.start_pos is not None and token.end_pos is not None
        span = Span(token.start_pos, token.end_pos)
        if token in _RESERVED and token not in self._reserved_used:
            self.found.append(mistakes.keyword_as_name(span, str(token)))
            self._reserved_used.add(str(token))  # said once
        return s.Name(str(token).strip("`"), span)

    # -- expressions --------------------------------------------------------------------------------------------------

    def number(self, meta: Any, children: list[Token]) -> s.Number:
        text = str(children[0])
        is_integer = text.isdigit()
        value = float(text)
        if value == float("inf") or (value == 0 and text.lower().split("e")[0].strip("0.")):
            self.found.append(mistakes.number_out_of_reach(_span(meta), text))
        elif is_integer and len(text.lstrip("0")) > 15 and int(value) != int(text):
            self.found.append(mistakes.number_not_exact(_span(meta), text, f"{value:.6g}"))
        return s.Number(value, is_integer, _span(meta))

    def string(self, meta: Any, children: list[Token]) -> s.String:
        return s.String(str(children[0])[1:-1], _span(meta))

    def name(self, meta: Any, children: list[Token]) -> s.Name:
        return self._name(children[0])

    def parens(self, meta: Any, children: list[s.Expr]) -> s.Expr:
        return children[0]

    def list_(self, meta: Any, children: list[s.Expr]) -> Any:
        return self._node(s.ListOf(tuple(children), _span(meta)), *children)

    def conditional(self, meta: Any, children: list[s.Expr]) -> Any:
        then, test, otherwise = children
        return self._node(s.Conditional(test, then, otherwise, _span(meta)), *children)

    def either(self, meta: Any, children: list[s.Expr]) -> Any:
        return self._binary(meta, "or", *children)

    def both(self, meta: Any, children: list[s.Expr]) -> Any:
        return self._binary(meta, "and", *children)

    def binary(self, meta: Any, children: list[Any]) -> Any:
        left, op, right = children
        return self._binary(meta, str(op), left, right)

    def _binary(self, meta: Any, op: str, left: s.Expr, right: s.Expr) -> Any:
        return self._node(s.Binary(op, left, right, _span(meta)), right, spine=left)

    def negate(self, meta: Any, children: list[s.Expr]) -> Any:
        return self._node(s.Unary("not", children[0], _span(meta)), children[0])

    def sign(self, meta: Any, children: list[Any]) -> Any:
        op, operand = children
        return self._node(s.Unary(str(op), operand, _span(meta)), operand)

    def compare(self, meta: Any, children: list[Any]) -> Any:
        operands = children[::2]
        return self._node(s.Compare(tuple(map(str, children[1::2])), tuple(operands), _span(meta)), *operands)

    def index(self, meta: Any, children: list[Any]) -> Any:
        base, *subscripts = children
        return self._node(s.Index(base, tuple(subscripts), _span(meta)), base, *subscripts)

    def range_(self, meta: Any, children: list[s.Expr]) -> Any:
        return self._node(s.Range(children[0], children[1], _span(meta)), *children)

    def whole(self, meta: Any, children: list[Any]) -> s.Whole:
        return s.Whole(_span(meta))

    def call(self, meta: Any, children: list[Any]) -> Any:
        function, *arguments = children
        wrapped = tuple(a if isinstance(a, s.Argument) else s.Argument(a) for a in arguments)
        node = s.Call(self._name(function), wrapped, _span(meta))
        return self._node(node, *(a.value for a in wrapped))

    def keyword(self, meta: Any, children: list[Any]) -> s.Argument:
        return s.Argument(children[1], self._name(children[0]))

    def comprehension(self, meta: Any, children: list[Any]) -> Any:
        body, binders = children
        return self._node(s.Comprehension(body, binders, _span(meta)), body)

    def log_density(self, meta: Any, children: list[Any]) -> Any:
        dist = self._distribution(children[1])
        return self._node(s.LogDensityOf(children[0], dist, _span(meta)), *children)

    def binders(self, meta: Any, children: list[s.Binder]) -> tuple[s.Binder, ...]:
        return tuple(children)

    def binder(self, meta: Any, children: list[Any]) -> s.Binder:
        return s.Binder(self._name(children[0]), children[1], children[2])

    # -- distributions ------------------------------------------------------------------------------------------------

    def _distribution(self, node: s.Expr) -> s.Dist:
        """A call, or a chain of comparisons around one, read as a distribution with bounds."""
        if isinstance(node, s.Call):
            if not is_family_name(node.function.name):
                self.found.append(mistakes.family_in_lower_case(node.function.span, node.function.name))
            return self._family(node, None, None, node.span)
        if isinstance(node, s.Compare):
            calls = [i for i, operand in enumerate(node.operands) if _is_family_call(operand)]
            if len(calls) == 1:
                return self._bounded(node, calls[0])
        if isinstance(node, s.Name) and is_family_name(node.name):
            self.found.append(mistakes.family_without_arguments(node.span, node.name))
        else:
            self.found.append(mistakes.not_a_distribution(node.span, self.source.cut(node.span)))
        missing = s.Name("", node.span)
        return s.Dist(missing, (), None, None, node.span)

    def _bounded(self, node: s.Compare, place: int) -> s.Dist:
        """`0 < D < 1`, `D > a`, `1 > D`: at most one bound on either side."""
        bounds: dict[str, s.Expr] = {}
        excludes: list[str] = []
        for i, op in enumerate(node.ops):
            left, right = node.operands[i], node.operands[i + 1]
            sided = op if i >= place else _FLIPPED.get(op, op)  # as if the distribution stood on the left
            bound = right if i >= place else left
            side = {"<": "upper", "<=": "upper", ">": "lower", ">=": "lower"}.get(sided)
            if side is None or side in bounds or abs(i - place + 0.5) > 1:
                self.found.append(mistakes.strange_bounds(node.span))
                break
            bounds[side] = bound
            if sided in ("<", ">"):
                excludes.append(side)
        call = node.operands[place]
        assert isinstance(call, s.Call)
        return self._family(call, bounds.get("lower"), bounds.get("upper"), node.span, tuple(excludes))

    def _family(
        self, call: s.Call, lower: s.Expr | None, upper: s.Expr | None, span: Span, excludes: tuple[str, ...] = ()
    ) -> s.Dist:
        arguments = []
        for argument in call.arguments:
            value = argument.value
            if _is_family_call(value) or (isinstance(value, s.Compare) and any(map(_is_family_call, value.operands))):
                value = self._distribution(value)  # type: ignore[arg-type]
            arguments.append(s.Argument(value, argument.keyword))
        dist = s.Dist(call.function, tuple(arguments), lower, upper, span, excludes)
        self._node(dist, call)
        return dist

    # -- statements ---------------------------------------------------------------------------------------------------

    def start(self, meta: Any, children: list[Any]) -> tuple[s.Statement, ...]:
        return _statements(children)

    def tilde(self, meta: Any, children: list[s.Expr]) -> s.Tilde:
        return s.Tilde(children[0], self._distribution(children[1]), _span(meta))

    def equals(self, meta: Any, children: list[s.Expr]) -> s.Assign | s.Define | None:
        target, value = children
        match target:
            case s.Name():
                return s.Assign(target, None, value, _span(meta))
            case s.Index(s.Name() as base, subscripts):
                return s.Assign(base, subscripts, value, _span(meta))
            case s.Call(function, arguments):
                parameters = [a.value for a in arguments if a.keyword is None and isinstance(a.value, s.Name)]
                if len(parameters) == len(arguments):
                    return s.Define(function, tuple(parameters), value, _span(meta))
        self.found.append(self._turn(meta) or mistakes.not_assignable(target.span, self.source.cut(target.span)))
        return None

    def _turn(self, meta: Any) -> Mistake | None:
        """A turn of another language that happens to parse."""
        turn = foreign.turn(self.source.text[meta.start_pos : meta.end_pos])
        if turn is None:
            return None
        start, end, mend = turn
        span = Span(meta.start_pos + start, meta.start_pos + end)
        return mistakes.foreign_turn(span, self.source.cut(span), mend)

    def bare(self, meta: Any, children: list[s.Expr]) -> None:
        """An expression that is no statement."""
        span, text = _span(meta), self.source.text[meta.start_pos : meta.end_pos]
        arrow = re.match(r'[^<"`#]*(<-)', text)
        mend = None
        match children[0]:
            case _ if arrow is not None:
                place = Span(span.start + arrow.start(1), span.start + arrow.end(1))
                self.found.append(mistakes.unexpected_text(place, "<-"))
                return
            case _ if text[0] in "+-":
                self.found.append(mistakes.line_begins_with_operator(Span(span.start, span.start + 1), text[0]))
                return
            case s.Call(function) if is_family_name(function.name):
                mend = f"write whose distribution it is: `name ~ {function.name}(...)`"
            case s.Compare(("==",)):
                mend = "a name is defined with a single `=`"
            case s.Compare():
                mend = "a bound stands at the distribution: `tau ~ Normal(0, 1) > 0`"
        self.found.append(self._turn(meta) or mistakes.bare_expression(span, self.source.cut(span), mend))

    def plate(self, meta: Any, children: list[Any]) -> s.For:
        binders, *body = children
        return s.For(binders, _statements(body), _span(meta))

    def data(self, meta: Any, children: list[s.DataItem]) -> s.Data:
        return s.Data(tuple(children), False, _span(meta))

    def data_only(self, meta: Any, children: list[s.DataItem]) -> s.Data:
        return s.Data(tuple(children), True, _span(meta))

    def data_item(self, meta: Any, children: list[Any]) -> s.DataItem:
        name, *rest = children
        axes: tuple[s.Expr, ...] = next((r for r in rest if isinstance(r, tuple)), ())
        missing = next((r for r in rest if not isinstance(r, tuple)), None)
        return s.DataItem(self._name(name), axes, missing)

    def data_axes(self, meta: Any, children: list[s.Expr]) -> tuple[s.Expr, ...]:
        return tuple(children)

    def data_missing(self, meta: Any, children: list[s.Expr]) -> s.Expr:
        return children[0]

    def levels(self, meta: Any, children: list[Any]) -> s.Levels:
        return s.Levels(self._name(children[0]), tuple(children[1:]), _span(meta))

    def factor(self, meta: Any, children: list[s.Expr]) -> s.FactorOf:
        return s.FactorOf(children[0], _span(meta))

    def ode(self, meta: Any, children: list[Any]) -> s.Ode:
        time, times, origin, *equations = children
        starts: dict[str, tuple[s.Name, s.Expr]] = {}
        slopes: dict[str, tuple[s.Name, s.Expr]] = {}
        for kind, name, value in equations:
            own = starts if kind == "start" else slopes
            if name.name in own:
                self.found.append(mistakes.equation_twice(name.span, name.name, kind))
            own[name.name] = (name, value)
        for name, (token, _) in {**starts, **slopes}.items():
            if name not in starts or name not in slopes:
                self.found.append(mistakes.half_an_equation(token.span, name, name in starts))
        states = tuple(
            s.OdeState(token, value, slopes[name][1]) for name, (token, value) in starts.items() if name in slopes
        )
        return s.Ode(self._name(time), times, origin, states, _span(meta))

    def ode_start(self, meta: Any, children: list[Any]) -> tuple[str, s.Name, s.Expr]:
        return "start", self._name(children[0]), children[1]

    def ode_slope(self, meta: Any, children: list[Any]) -> tuple[str, s.Name, s.Expr]:
        return "slope", self._name(children[0]), children[1]


def is_family_name(name: str) -> bool:
    """A capital letter makes a distribution."""
    return name[:1].isupper() and name not in CAPITAL_FUNCTIONS


def _is_family_call(node: object) -> bool:
    return isinstance(node, s.Call) and is_family_name(node.function.name)


def _statements(children: list[Any]) -> tuple[s.Statement, ...]:
    return tuple(child for child in children if child is not None)


def _span(meta: Any) -> Span:
    return Span(meta.start_pos, meta.end_pos)
