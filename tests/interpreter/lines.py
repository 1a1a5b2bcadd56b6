"""statements -> lines: each with the loops around it, and the name that it defines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ppl.language import syntax as s
from tests.interpreter.arrays import Place

Variable = tuple[str, Place]  # one element of a discrete latent


@dataclass(frozen=True)
class Line:
    statement: s.Tilde | s.Assign | s.FactorOf
    binders: tuple[s.Binder, ...]


@dataclass(frozen=True)
class Factor:
    """One number that is added to the log density. `own` is the element whose distribution it is, if one element is."""

    log_density: Callable[[], float]
    own: Variable | None
    given: bool  # whether the element, or all that stands on the left, has a value


class Unknown(Exception):
    """A name has no value at this point."""


def is_missing(x: Any) -> bool:
    return x is None or (isinstance(x, float) and math.isnan(x))


def target_name(statement: Any) -> str | None:
    match statement:
        case s.Assign(s.Name(name)):
            return name
        case s.Tilde(s.Name(name)) | s.Tilde(s.Index(s.Name(name))):
            return name
    return None


def bracket_of(statement: Any) -> tuple[Any, ...] | None:
    match statement:
        case s.Assign(_, subscripts):
            return subscripts
        case s.Tilde(s.Index(_, subscripts)):
            return subscripts
    return None


def lines_of(statements: tuple[Any, ...], binders: tuple[s.Binder, ...]) -> Iterator[Line]:
    for statement in statements:
        if isinstance(statement, s.For):
            yield from lines_of(statement.body, (*binders, *statement.binders))
        elif isinstance(statement, s.Tilde | s.Assign | s.FactorOf):
            yield Line(statement, binders)


def by_name(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(target_name(line.statement) or "", []).append(line)
    return found
