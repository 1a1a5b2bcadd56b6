"""a model at each stage -> text: the syntax tree, names and graph, the log joint, its gradient (`ppl check --show`)."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.staged import stage
from ppl.compile.staged.listing import Slot
from ppl.compile.staged.trace import NotStaged
from ppl.data import axes as axes_of
from ppl.language import syntax as s
from ppl.language.source import Source, Span
from ppl.model.events import EVENTS
from ppl.model.graph import Model, parents_first
from ppl.model.names import Names
from ppl.model.terms import Term

_DRAWS = 32  # of the gradient that is shown
_ROLES = ("observed", "potential", "latent", "point", "derived", "simulated", "data")
_WORDS = {"point": "point estimate"}


def names_without_data(names: Names) -> str:
    """What each name is as far as the text tells: random, derived, or read from the data."""
    rows: list[tuple[str, ...]] = [("name", "role", "distribution")]
    rows += [
        (line.defines, "random", _family(line.statement)) for line in names.random.values() if line.defines is not None
    ]
    rows += [(name, "derived", "") for name in names.derived]
    rows += [(name, "data", "") for name in names.read_from_data()]
    return _table(rows)


def _family(statement: object) -> str:
    return statement.dist.family.name if isinstance(statement, s.Tilde) else ""


def names(model: Model) -> str:
    """Every name with its role, family, axes and support."""
    supports = {random.name: random.pieces for random in (*model.latents, *model.discrete, *model.simulated)}
    rows: list[tuple[str, ...]] = [("name", "role", "distribution", "axes", "support")]
    for role in _ROLES:
        for name, node in model.graph.nodes(data=True):
            if node["role"] == role:
                found = dict.fromkeys(_support(piece.distribution) for piece in supports.get(name, ()))
                support = "; ".join(found)
                rows.append((name, _WORDS.get(role, role), node["family"] or "", axes_of.show(node["axes"]), support))
    return _table(rows)


def _support(distribution: Any) -> str:
    kind = distribution.kind
    if kind in ("category", "counts") or (kind in EVENTS and kind != "ordered"):
        return str(kind).replace("_", " ")
    lower, upper = (_bound(bound) for bound in (distribution.support_lower, distribution.support_upper))
    if kind == "integer":
        return f"whole numbers {lower or '...'} to {upper or '...'}"
    if lower and upper:
        found = f"{lower} to {upper}"
    else:
        found = f"above {lower}" if lower else f"below {upper}" if upper else "all numbers"
    return f"{found}, ordered" if kind == "ordered" else found


def _bound(bound: Term | None) -> str:
    if bound is None:
        return ""
    if not bound.known:
        return "a latent bound"
    values = np.asarray(bound.value)
    least, most = values.min(), values.max()
    return f"{least:g}" if least == most else f"{least:g}..{most:g}"


def graph(model: Model) -> str:
    """The nodes, parents before children, each with what it depends on."""
    lines = []
    for name in parents_first(model.graph):
        node = model.graph.nodes[name]
        parents = sorted(model.graph.predecessors(name))
        family = f" ~ {node['family']}" if node["family"] else ""
        arrows = f"  <- {', '.join(parents)}" if parents else ""
        lines.append(f"{node['role']:9s}  {name}{family}  [{axes_of.show(node['axes'])}]{arrows}")
    return "\n".join(lines)


def joint(found: LogJoint) -> str:
    """The factors over their plates, the transforms, and the list of array operations."""
    lines = [f"{found.dimension} unconstrained coordinates"]
    for block in found.blocks:
        lines.append(f"  z[{block.start}:{block.stop}]  {block.name}  {block.transform.name}")
    lines.append("factors")
    for part in found.parts:
        lines.append(f"  {part.name}  over {axes_of.show(part.plates)}")
    lines.append("operations")
    names = {slot: f"[{name}]" for name, slot in found.program.inputs.items()}
    for slot, value in found.program.constants.items():
        names[slot] = f"{float(value):g}" if value.ndim == 0 else f"data{value.shape}"
    for step in found.program.instructions:
        arguments = ", ".join(names.get(source, f"%{source}") for source in step.sources)
        lines.append(f"  %{step.target} = {step.op.name}({arguments})")
    return "\n".join(lines)


def gradient(found: LogJoint) -> str:
    """The list of NumPy calls that gives the log joint and its gradient over 32 draws, or why there is none."""
    if found.dimension == 0:
        return "no coordinates: nothing to differentiate"
    try:
        calls = stage.listing(found, (_DRAWS, found.dimension))
    except NotStaged as reason:
        return f"by autograd, call by call: {reason}"
    lines = [f"{len(calls.calls)} calls for {_DRAWS} draws of {found.dimension} coordinates, %0"]
    for call in calls.calls:
        arguments = [_argument(argument) for argument in call.arguments]
        arguments += [f"{name}={value}" for name, value in call.options.items()]
        shape = "" if call.shape is None else f"  {call.shape}"
        lines.append(f"  %{call.target.index} = {_name(call.function)}({', '.join(arguments)}){shape}")
    value, slope = (_argument(output) for output in calls.outputs)
    return "\n".join([*lines, f"value {value}, gradient {slope}"])


def _name(function: Any) -> str:
    own = getattr(function, "fun", function)
    return str(getattr(own, "__name__", type(own).__name__))


def _argument(argument: Any) -> str:
    if isinstance(argument, Slot):
        return f"%{argument.index}"
    if callable(argument):
        return _name(argument)
    if isinstance(argument, np.ndarray | np.generic | float | int):
        return f"{float(argument):g}" if np.ndim(argument) == 0 else f"data{np.shape(argument)}"
    if isinstance(argument, tuple):
        return "[" + ", ".join(_argument(part) for part in argument) + "]"
    if isinstance(argument, slice):
        parts = [argument.start, argument.stop, *([] if argument.step is None else [argument.step])]
        return ":".join("" if part is None else str(part) for part in parts)
    return "..." if argument is Ellipsis else type(argument).__name__


def syntax(program: s.Program) -> str:
    """The syntax tree, a node a line, indented, with line and column."""
    lines: list[str] = []
    stack: list[tuple[int, str, Any]] = [(0, "", statement) for statement in reversed(program.statements)]
    while stack:
        depth, label, node = stack.pop()
        head, children = _describe(node, program.source)
        lines.append("  " * depth + (f"{label}: " if label else "") + head)
        stack.extend((depth + 1, name, child) for name, child in reversed(children))
    return "\n".join(lines)


def _describe(node: Any, source: Source) -> tuple[str, list[tuple[str, Any]]]:
    """A node's line, and its children with the names of their fields."""
    if not is_dataclass(node):
        return repr(node), []
    words = [type(node).__name__]
    children: list[tuple[str, Any]] = []
    for entry in fields(node):
        value = getattr(node, entry.name)
        if isinstance(value, Span):
            words.append("at {}:{}".format(*source.place(value.start)))
        elif isinstance(value, s.Name) and entry.name in ("name", "function", "family", "keyword"):
            words.append(value.name)
        elif is_dataclass(value):
            children.append((entry.name, value))
        elif isinstance(value, tuple):
            children += [(entry.name, item) for item in value]
        elif value is not None:
            words.append(str(value))
    return " ".join(words), children


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
