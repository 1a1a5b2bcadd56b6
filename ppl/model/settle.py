"""names + data -> model: lines read in the order of their dependence, roles settled, the graph drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import networkx as nx

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.data.dataset import Dataset
from ppl.language import mistakes as language_mistakes
from ppl.language import syntax as s
from ppl.language.build import MOST_NESTED
from ppl.language.errors import Mistake, ModelError, nearest
from ppl.language.source import Span
from ppl.model import distribution as dist
from ppl.model import indexing, mistakes, terms
from ppl.model.distribution import Distribution
from ppl.model.expressions import Reader
from ppl.model.graph import Factor, Latent, Model
from ppl.model.names import Line, Names
from ppl.model.scope import Environment, Failed, Levels, Scope, Skipped, as_scalar, declared_axis
from ppl.model.terms import Misaligned, Term, TooLarge

_RECURSION = 12_000  # frames; expressions nest at most 200 levels, one-line functions multiply that


def settle(names: Names, data: Dataset) -> Model:
    """The model that a program and its data make together.

    Raises `ModelError` with every independent mistake of names, axes and supports.
    """
    settler = _Settler(names, data, Environment(names, data))
    settler.check_names()
    with _room_to_recurse():
        for line in _in_order(names, data, settler.found):
            settler.settle(line)
    settler.check_supports()
    if settler.found:
        raise ModelError(names.program.source, settler.found)
    return settler.model()


@contextmanager
def _room_to_recurse() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _in_order(names: Names, data: Dataset, found: list[Mistake]) -> list[Line]:
    """The lines, each after the lines that define what it uses; a circle is a mistake.

    What an observed name is does not depend on its line: it may stand on its own right side.
    """
    definitions: dict[str, int] = {}
    for i, line in enumerate(names.lines):
        if line.defines is not None and (not line.random or line.defines not in definitions):
            definitions[line.defines] = i
    observed = set(data.columns) - set(names.derived)
    order = nx.DiGraph()
    order.add_nodes_from(range(len(names.lines)))
    for i, line in enumerate(names.lines):
        needs = set(line.uses) | ({line.defines} if line.random and line.defines is not None else set())
        for name in needs & definitions.keys() - observed:
            if definitions[name] != i or name in line.uses:
                order.add_edge(definitions[name], i)
    try:
        return [names.lines[i] for i in nx.lexicographical_topological_sort(order)]
    except nx.NetworkXUnfeasible:
        return _without_circles(names, order, found)


def _without_circles(names: Names, order: nx.DiGraph, found: list[Mistake]) -> list[Line]:
    """Report each circle once and go on with the lines that are in none and need none."""
    stuck: set[int] = set()
    for component in nx.strongly_connected_components(order):
        first = min(component)
        if len(component) == 1 and not order.has_edge(first, first):
            continue
        circle = [edge[0] for edge in nx.find_cycle(order.subgraph(component), first)]
        path = [names.lines[i].defines or "?" for i in circle]
        line = names.lines[circle[0]]
        # edges lead from what is used to who uses it: read against them, the circle says who depends on whom
        shown = [path[0], *reversed(path[1:]), path[0]]
        found.append(mistakes.depends_on_itself(line.name_span, shown))
        stuck |= component
    stuck |= {d for i in stuck for d in nx.descendants(order, i)}
    return [names.lines[i] for i in nx.lexicographical_topological_sort(order.subgraph(set(order) - stuck))]


@dataclass(slots=True)
class _Settler:
    """Reads lines one after another and gathers what they say."""

    names: Names
    data: Dataset
    env: Environment
    found: list[Mistake] = field(default_factory=list)
    latents: dict[str, Latent] = field(default_factory=dict)
    factors: list[Factor] = field(default_factory=list)
    derived: dict[str, Term] = field(default_factory=dict)
    distributions: list[Distribution] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns_read: dict[Span, set[str]] = field(default_factory=dict)  # by the span of the statement

    def check_names(self) -> None:
        """Every name that nothing stands for is reported once, at its first place."""
        for name, span in self.names.read_from_data().items():
            if not self.env.is_known_name(name):
                self.found.append(mistakes.unknown_name(span, name, self.env.candidates()))
                self.env.failed.add(name)

    def settle(self, line: Line) -> None:
        self.env.touched.clear()
        try:
            self.say(line)
        except Failed as error:
            self.found.append(error.mistake)
        except TooLarge as error:
            self.found.append(mistakes.too_large(line.statement.span, error.elements, terms.MOST_ELEMENTS))
        except RecursionError:
            self.found.append(language_mistakes.nested_too_deeply(line.statement.span, MOST_NESTED))
        except Skipped:
            pass
        self.columns_read[line.statement.span] = set(self.env.touched)
        if line.defines is not None and line.defines not in self.env.settled and not self.is_observed(line.defines):
            self.env.failed.add(line.defines)

    def say(self, line: Line) -> None:
        match line.statement:
            case s.Assign():
                self.derive(line.statement)
            case s.Tilde(target, node):
                self.draw(line, target, node)
            case s.FactorOf():
                raise Failed(language_mistakes.not_yet(line.statement.span, "`factor`"))

    def is_observed(self, name: str) -> bool:
        return name in self.data.columns and name not in self.names.derived

    # -- `=` ----------------------------------------------------------------------------------------------------------

    def derive(self, statement: s.Assign) -> None:
        name = statement.name.name
        if statement.subscripts is None:
            term = Reader(self.env, Scope()).number(statement.value)
        else:
            axes, lifted = self.declared(statement.subscripts)
            reader = Reader(self.env, Scope(lifted))
            term = reader.number(statement.value)
            if not term.axes or len(term.axes) <= len(axes):
                term = self.over(reader, term, axes, statement)
            else:
                raise Failed(mistakes.derived_lacks_axis(statement.name.span, name, axes, term.axes))
        if name in self.data.columns:
            column = self.data.columns[name]
            self.notes.append(f"`{name}` is also in {column.file}; the model's own definition stands")
        self.env.settled[name] = term
        self.derived[name] = term

    def over(self, reader: Reader, term: Term, axes: tuple[Axis, ...], statement: s.Assign) -> Term:
        try:
            terms.align(axes, term.axes)
        except Misaligned:
            name = statement.name.name
            raise Failed(mistakes.derived_lacks_axis(statement.name.span, name, axes, term.axes)) from None
        return reader.spread(term, axes, statement.span)

    # -- `~` ----------------------------------------------------------------------------------------------------------

    def draw(self, line: Line, target: s.Expr, node: s.Dist) -> None:
        name = line.defines
        if name is not None and not self.is_observed(name) and name not in self.derived:
            if name in self.latents:
                earlier = self.env.source.place(self.latents[name].span.start)[0]
                raise Failed(language_mistakes.defined_twice(line.name_span, name, earlier))
            self.settle_latent(name, target, node)
        else:
            self.settle_factor(line, target, node)

    def settle_latent(self, name: str, target: s.Expr, node: s.Dist) -> None:
        axes, lifted = self.declared(target.subscripts) if isinstance(target, s.Index) else (None, ())
        reader = Reader(self.env, Scope(lifted))
        found = dist.read(reader, node)
        if axes is None:
            axes = self.shape_of_arguments(reader, found)
            if found.family.event_rank and len(axes) < found.family.event_rank:
                raise Failed(mistakes.event_axis_missing(target.span, found.family.name, name))
        dist.fit_to(reader, found, name, axes, target.span, observed=False)
        kind = Kind.INTEGER if found.family.discrete else Kind.REAL
        term = terms.latent(name, axes, target.span, kind)
        self.distributions.append(found)
        density = dist.log_prob(reader, found, term, node.span)
        self.latents[name] = Latent(name, axes, found, density, target.span)
        self.env.settled[name] = term

    def shape_of_arguments(self, reader: Reader, found: Distribution) -> tuple[Axis, ...]:
        """A latent without a bracket takes the shape of its arguments."""
        try:
            plates = found.plates()
        except Misaligned as error:
            nodes = list(found.nodes)
            raise Failed(reader.misaligned(error, list(found.parameters), nodes, found.span)) from None  # type: ignore[arg-type]
        return (*plates, *found.event_axes())

    def settle_factor(self, line: Line, target: s.Expr, node: s.Dist) -> None:
        """A `~` on something known, or on an expression."""
        reader = Reader(self.env, Scope())
        if isinstance(target, s.Index) and line.defines is not None and self.is_observed(line.defines):
            target = indexing.without_counts(reader, target)
        text = reader.text(target)
        value = reader.read(target)
        if not value.known and line.defines is not None:
            raise Failed(mistakes.observed_is_derived(target.span, text))
        found = dist.read(reader, node)
        if found.family.support.kind != "category":
            value = self.env.as_number(value, text, target.span)
        value = dist.categories(as_scalar(value) if not self.is_vector(found) else value, found)
        if isinstance(target, s.Number) or (line.defines is None and not value.axes):
            value = reader.spread(value, self.shape_of_arguments(reader, found), target.span)
        dist.fit_to(reader, found, text, value.axes, target.span, observed=True)
        if value.known:
            dist.check_values(reader, found, value, text, target.span)
        self.distributions.append(found)
        density = dist.log_prob(reader, found, value, line.statement.span)
        self.factors.append(Factor(text, found, value, density, line.statement.span))

    def is_vector(self, found: Distribution) -> bool:
        return bool(found.family.event_rank) or any(term.axes for term in found.parameters)

    # -- axes that a bracket declares ---------------------------------------------------------------------------------

    def declared(
        self, subscripts: tuple[s.Expr | s.Range | s.Whole, ...]
    ) -> tuple[tuple[Axis, ...], tuple[Levels, ...]]:
        """The axes that a bracket on the left declares, and the factors whose levels the statement runs over."""
        axes: list[Axis] = []
        lifted: list[Levels] = []
        for subscript in subscripts:
            axis, factor = self.one_axis(subscript)
            axes.append(axis)
            if factor is not None:
                lifted.append(factor)
        terms.check_size(axes)
        return tuple(axes), tuple(lifted)

    def one_axis(self, node: s.Expr | s.Range | s.Whole) -> tuple[Axis, Levels | None]:
        reader = Reader(self.env, Scope())
        if isinstance(node, s.Range | s.Whole):
            raise Failed(language_mistakes.not_yet(node.span, "a range in a declaration"))
        if isinstance(node, s.Name) and node.name == "rows" and "rows" not in self.data.columns and self.data.rows:
            return self.data.rows, None
        if isinstance(node, s.String):
            raise Failed(mistakes.not_a_count(node.span, reader.text(node), "a text"))
        term = self.axis_term(reader, node)
        text = reader.text(node)
        if not term.known:
            raise Failed(mistakes.not_a_count(node.span, text, "not known from the data"))
        if not term.axes:
            count = self.env.as_number(term, text, node.span).number()
            if not count.is_integer() or count < 0:
                raise Failed(mistakes.not_a_count(node.span, text, f"{count:g}"))
            return declared_axis(int(count), text), None
        if len(term.axes) == 2 and is_columns(term.axes[1]):
            return term.axes[1], None
        if isinstance(node, s.Name) and self.is_observed(node.name):
            factor = self.env.levels(node.name, node.span)
            if factor is not None:
                return factor.axis, factor
            raise Failed(mistakes.not_a_count(node.span, text, "a column of decimal numbers"))
        raise Failed(mistakes.not_a_count(node.span, text, f"an array with axes {axes_of.show(term.axes)}"))

    def axis_term(self, reader: Reader, node: s.Expr) -> Term:
        """A list of one number from JSON declares that count; a table of one row still has levels."""
        term = reader.read(node)
        return as_scalar(term) if term.kind is not Kind.TEXT else term

    # -- the whole ----------------------------------------------------------------------------------------------------

    def check_supports(self) -> None:
        supports = {name: latent.distribution for name, latent in self.latents.items()}
        for found in self.distributions:
            slip = dist.check_against_support(found, supports)
            if slip is not None:
                name, mistake = slip
                self.found.append(mistake)
                del supports[name]  # said once

    def model(self) -> Model:
        needed = self.needed()
        for name, latent in self.latents.items():
            family = latent.distribution.family
            if name in needed and family.discrete:
                self.found.append(mistakes.latent_is_discrete(latent.span, name, family.name))
            if name not in needed and not family.renormalised:
                self.found.append(mistakes.cannot_simulate(latent.span, name, family.name))
        random = self.names.random
        if not any(factor.observed for factor in self.factors):
            columns = list(self.data.columns)
            self.found = [mistakes.nothing_observed(None, list(random), columns)]
        if self.found:
            raise ModelError(self.names.program.source, self.found)
        self.point_out_near_misses()
        inferred = tuple(latent for name, latent in self.latents.items() if name in needed)
        simulated = tuple(latent for name, latent in self.latents.items() if name not in needed)
        graph = _draw_graph(self, needed)
        return Model(
            self.env.source, self.data, inferred, simulated, tuple(self.factors), dict(self.derived), graph,
            tuple(self.notes),
        )  # fmt: skip

    def needed(self) -> set[str]:
        """The latents that something observed, or a factor, depends on."""
        waiting = list(terms.inputs(term for factor in self.factors for term in (factor.log_prob, factor.value)))
        needed: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += terms.inputs([self.latents[name].log_prob, *self.latents[name].distribution.all_terms])
        return needed

    def point_out_near_misses(self) -> None:
        """A latent whose name is almost that of a column nobody uses is most likely a slip."""
        used = set().union(*self.columns_read.values()) | {factor.name for factor in self.factors}
        unused = [name for name in self.data.columns if name not in used]
        for name in self.latents:
            close = nearest(name, unused, cutoff=0.8)
            if close is not None:
                self.notes.append(f"`{name}` is not in the data and is inferred; did you mean the column `{close}`?")


def _draw_graph(settler: _Settler, needed: set[str]) -> nx.DiGraph:
    """One node per named quantity, parents before children."""
    graph = nx.DiGraph()
    functions = set(settler.names.functions)
    for line in settler.names.lines:
        name = _node_name(settler, line, graph)
        columns = sorted(settler.columns_read[line.statement.span] - {line.defines or ""})
        uses = dict(line.uses) | dict.fromkeys(columns, line.name_span)
        for used, span in uses.items():
            if used not in graph and used not in functions:
                graph.add_node(used, **_data_attributes(settler, used, span))
        graph.add_node(name, **_attributes(settler, line, name, needed))
        graph.add_edges_from((used, name) for used in uses if used in graph and used != name)
    return graph


def _node_name(settler: _Settler, line: Line, graph: nx.DiGraph) -> str:
    """The name on the left, or its text; a second `~` on the same thing gets a number."""
    name = line.defines or settler.env.source.cut(line.statement.target.span)  # type: ignore[union-attr]
    if line.random and name in graph and graph.nodes[name].get("family") is not None:
        number = 2
        while f"{name} #{number}" in graph:
            number += 1
        return f"{name} #{number}"
    return name


def _data_attributes(settler: _Settler, name: str, span: Span) -> dict[str, object]:
    column = settler.data.columns.get(name)
    axes = column.axes if column is not None else ()
    return {"role": "data", "family": None, "axes": axes, "span": span}


def _attributes(settler: _Settler, line: Line, name: str, needed: set[str]) -> dict[str, object]:
    if not line.random:
        term = settler.derived[name]
        return {"role": "derived", "family": None, "axes": term.axes, "span": line.name_span}
    if line.defines in settler.latents:
        latent = settler.latents[line.defines]
        role = "latent" if line.defines in needed else "simulated"
        family = latent.distribution.family.name
        return {"role": role, "family": family, "axes": latent.axes, "span": line.name_span}
    factor = next(f for f in settler.factors if f.span == line.statement.span)
    role = "observed" if factor.observed else "potential"
    return {"role": role, "family": factor.distribution.family.name, "axes": factor.value.axes, "span": line.name_span}
