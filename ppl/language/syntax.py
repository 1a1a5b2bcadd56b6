"""The syntax tree: what a model says, with the span of every part, before any name is looked up."""

from __future__ import annotations

from typing import TypeAlias

from ppl.language.source import Source, Span
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    is_integer: bool
    span: Span


@dataclass(frozen=True, slots=True)
class String:
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `+x`, `not x`; `op` is "-", "+" or "not"."""

    op: str
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is one of + - * / @ ^ and or."""

    op: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b <= c`: `operands` has one more element than `ops`."""

    ops: tuple[str, ...]
    operands: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if test else otherwise`."""

    test: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    """`low..high`, both ends included; stands in indices, binders and `columns(...)`."""

    low: Expr
    high: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Whole:
    """`:`, a whole axis."""

    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    base: Expr
    subscripts: tuple[Expr | Range | Whole, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Binder:
    """`name in low..high`."""

    name: Name
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`body for i in a..b`, the argument of a reduction."""

    body: Expr
    binders: tuple[Binder, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class LogDensityOf:
    """`value ~ dist`, the argument of `logp`."""

    value: Expr
    dist: Dist
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call or a distribution; `keyword` is None where it stands by position."""

    value: Expr | Range | Comprehension | LogDensityOf | Dist
    keyword: Name | None = None


@dataclass(frozen=True, slots=True)
class Call:
    function: Name
    arguments: tuple[Argument, ...]
    span: Span


Expr: TypeAlias = Number | String | Name | ListOf | Unary | Binary | Compare | Conditional | Index | Call


@dataclass(frozen=True, slots=True)
class Dist:
    """`lower < Family(arguments) < upper`; a wrapper such as `Ordered` is a family with a Dist among its arguments.

    `excludes` names the bounds that are themselves left out, "lower" and "upper": those written with < or >, not with
    <= or >=. That makes a difference for whole numbers alone.
    """

    family: Name
    arguments: tuple[Argument, ...]
    lower: Expr | None
    upper: Expr | None
    span: Span
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tilde:
    """`target ~ dist`."""

    target: Expr
    dist: Dist
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    """`name[subscripts] = value`; `subscripts` is None without a bracket."""

    name: Name
    subscripts: tuple[Expr | Range | Whole, ...] | None
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Define:
    """`name(parameters) = body`."""

    name: Name
    parameters: tuple[Name, ...]
    body: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    binders: tuple[Binder, ...]
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DataItem:
    """`name[axes] missing value`."""

    name: Name
    axes: tuple[Expr, ...]
    missing: Expr | None


@dataclass(frozen=True, slots=True)
class Data:
    items: tuple[DataItem, ...]
    only: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Levels:
    """`levels name = column, ...` or `levels name = "a", "b", ...`."""

    name: Name
    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class FactorOf:
    """`factor value`."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class OdeState:
    name: Name
    start: Expr
    slope: Expr


@dataclass(frozen=True, slots=True)
class Ode:
    time: Name
    times: Expr
    origin: Expr
    states: tuple[OdeState, ...]
    span: Span


Statement: TypeAlias = Tilde | Assign | Define | For | Data | Levels | FactorOf | Ode


@dataclass(frozen=True, slots=True)
class Program:
    source: Source
    statements: tuple[Statement, ...]


Node: TypeAlias = (
    Number | String | Name | ListOf | Unary | Binary | Compare | Conditional | Index | Call
    | Range | Whole | Comprehension | LogDensityOf | Dist
)  # fmt: skip


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes directly inside a node, in reading order; the names of functions and families are none."""
    match node:
        case ListOf(items):
            return items
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Compare(_, operands):
            return operands
        case Conditional(test, then, otherwise):
            return (then, test, otherwise)
        case Range(low, high):
            return (low, high)
        case Index(base, subscripts):
            return (base, *subscripts)
        case Call(_, arguments):
            return tuple(argument.value for argument in arguments)
        case Comprehension(body, binders):
            return (body, *(bound for binder in binders for bound in (binder.low, binder.high)))
        case LogDensityOf(value, dist):
            return (value, dist)
        case Dist(_, arguments, lower, upper):
            bounds = tuple(bound for bound in (lower, upper) if bound is not None)
            return (*(argument.value for argument in arguments), *bounds)
    return ()
