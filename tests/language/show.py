"""Parsed text as fully bracketed text: what groups with what, at a glance."""

from __future__ import annotations

from collections.abc import Iterator

from ppl.language import syntax as s
from ppl.language.parser import parse
from ppl.language.source import Source


def program(text: str) -> s.Program:
    return parse(Source("test.ppl", text))


def statement(text: str) -> s.Statement:
    (only,) = program(text).statements
    return only


def expression(text: str) -> s.Expr:
    """The expression right of `x =`."""
    found = statement(f"x = {text}")
    assert isinstance(found, s.Assign)
    return found.value


def grouped(text: str) -> str:
    return show(expression(text))


def show(node: s.Node) -> str:
    match node:
        case s.Number(value):
            return f"{value:g}"
        case s.String(value):
            return f'"{value}"'
        case s.Name(name):
            return name
        case s.ListOf(items):
            return f"[{', '.join(map(show, items))}]"
        case s.Unary(op, operand):
            return f"({op} {show(operand)})"
        case s.Binary(op, left, right):
            return f"({show(left)} {op} {show(right)})"
        case s.Compare(ops, operands):
            pairs = zip(ops, operands[1:], strict=True)
            return f"({show(operands[0])}{''.join(f' {op} {show(operand)}' for op, operand in pairs)})"
        case s.Conditional(test, then, otherwise):
            return f"({show(then)} if {show(test)} else {show(otherwise)})"
        case s.Range(low, high):
            return f"{show(low)}..{show(high)}"
        case s.Whole():
            return ":"
        case s.Index(base, subscripts):
            return f"{show(base)}[{', '.join(map(show, subscripts))}]"
        case s.Call(function, arguments):
            return f"{function.name}({_arguments(arguments)})"
        case s.Comprehension(body, binders):
            return f"{show(body)} for {_binders(binders)}"
        case s.LogDensityOf(value, dist):
            return f"{show(value)} ~ {show(dist)}"
        case s.Dist(family, arguments, lower, upper, _, excludes):
            signs = ["<" if side in excludes else "<=" for side in ("lower", "upper")]
            below = "" if lower is None else f"{show(lower)} {signs[0]} "
            above = "" if upper is None else f" {signs[1]} {show(upper)}"
            return f"{below}{family.name}({_arguments(arguments)}){above}"
    raise AssertionError(node)


def _arguments(arguments: tuple[s.Argument, ...]) -> str:
    return ", ".join(f"{a.keyword.name} = {show(a.value)}" if a.keyword else show(a.value) for a in arguments)


def _binders(binders: tuple[s.Binder, ...]) -> str:
    return ", ".join(f"{b.name.name} in {show(b.low)}..{show(b.high)}" for b in binders)


def show_statement(node: s.Statement) -> str:
    match node:
        case s.Tilde(target, dist):
            return f"{show(target)} ~ {show(dist)}"
        case s.Assign(name, subscripts, value):
            bracket = "" if subscripts is None else f"[{', '.join(map(show, subscripts))}]"
            return f"{name.name}{bracket} = {show(value)}"
        case s.Define(name, parameters, body):
            return f"{name.name}({', '.join(p.name for p in parameters)}) := {show(body)}"
        case s.For(binders, body):
            return f"for {_binders(binders)} {{ {'; '.join(map(show_statement, body))} }}"
        case s.Data(items, only):
            return f"data {'only ' if only else ''}{', '.join(map(_item, items))}"
        case s.Levels(name, items):
            return f"levels {name.name} = {', '.join(map(show, items))}"
        case s.FactorOf(value):
            return f"factor {show(value)}"
        case s.Ode(time, times, origin, states):
            equations = "; ".join(f"{x.name.name} from {show(x.start)} by {show(x.slope)}" for x in states)
            return f"ode {time.name} in {show(times)} from {show(origin)} {{ {equations} }}"
    raise AssertionError(node)


def _item(item: s.DataItem) -> str:
    axes = f"[{', '.join(map(show, item.axes))}]" if item.axes else ""
    return f"{item.name.name}{axes}{'' if item.missing is None else f' missing {show(item.missing)}'}"


def nodes(found: s.Node) -> Iterator[s.Node]:
    """A node and all below it."""
    yield found
    for part in s.parts(found):
        yield from nodes(part)
