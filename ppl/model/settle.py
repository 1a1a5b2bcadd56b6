"""names + data -> model: lines read in the order of their dependence, roles settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.data.dataset import Dataset
from ppl.language import mistakes as language_mistakes
from ppl.language import syntax as s
from ppl.language.build import MOST_NESTED
from ppl.language.errors import Mistake, ModelError, nearest
from ppl.language.source import Span
from ppl.model import (
    bounds,
    brackets,
    data_lines,
    data_mistakes,
    density,
    derive,
    draw_graph,
    factors,
    impute,
    indexing,
    loop_mistakes,
    loops,
    mends,
    mistakes,
    point_mistakes,
    points,
    support,
    terms,
)
from ppl.model import distribution as dist
from ppl.model import ode as odes
from ppl.model.brackets import Place
from ppl.model.distribution import Distribution
from ppl.model.expressions import Reader
from ppl.model.gathered import gathered
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.impute import Gaps, gaps_of
from ppl.model.names import Line, Names
from ppl.model.nesting import room_to_recurse
from ppl.model.order import Group, in_order
from ppl.model.read_distribution import read
from ppl.model.scope import Environment, Failed, Levels, Scope, Skipped, as_scalar
from ppl.model.terms import Misaligned, Term, TooLarge
from ppl.values import dataclass


def settle(names: Names, data: Dataset) -> Model:
    """The model that a program and its data make together.

    Raises `ModelError` with every independent mistake of names, axes and supports.
    """
    prepared = data_lines.prepare(names, data)
    names, prepared.data = gathered(names, prepared.data)
    settler = _read(names, prepared.data, prepared)
    filled_up = [gaps for gaps in settler.gaps.values() if impute.is_filled_up(gaps, names)]
    if filled_up and not settler.found:
        settler = _read(names, impute.without_filling(prepared.data, filled_up), prepared)
    settler.check_supports()
    settler.check_gaps()
    if settler.found:
        raise ModelError(names.program.source, settler.found)
    return settler.model()


def _read(names: Names, data: Dataset, prepared: data_lines.Prepared) -> Settler:
    """All lines read, as far as they can be."""
    env = Environment(names, data, failed=set(prepared.failed))
    settler = Settler(names, data, env, list(prepared.found), notes=list(data.notes))
    env.declare, env.impute = settler.declare, settler.whole
    settler.check_names()
    groups, circles = in_order(names, {name for name in data.columns if name not in names.derived})
    settler.found += circles
    with room_to_recurse():
        for group in groups:
            settler.settle(group)
    return settler


@dataclass(slots=True)
class Settler:
    """Reads lines one after another and gathers what they say."""

    names: Names
    data: Dataset
    env: Environment
    found: list[Mistake] = field(default_factory=list)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)  # of latents
    places: dict[int, Place] = field(default_factory=dict)  # by line
    parts: dict[str, list[tuple[Place, Term, Span]]] = field(default_factory=dict)  # of derived names
    factors: list[Factor] = field(default_factory=list)
    derived: dict[str, Term] = field(default_factory=dict)
    distributions: list[Distribution] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns_read: dict[Span, set[str]] = field(default_factory=dict)  # by the span of the statement
    plates: dict[int, Axis] = field(default_factory=dict)  # of loops, by their binders
    declaring: set[str] = field(default_factory=set)
    gaps: dict[str, Gaps] = field(default_factory=dict)  # columns with missing cells
    half_said: set[str] = field(default_factory=set)  # columns of which a statement failed

    def check_names(self) -> None:
        """Every name that nothing stands for is reported once, at its first place."""
        for name, span in self.names.read_from_data().items():
            if self.env.is_known_name(name) or name in self.env.failed:
                continue
            if name in self.data.left_out:
                left_out = data_mistakes.left_out(span, name)
                if left_out.message not in {mistake.message for mistake in self.found}:
                    self.found.append(left_out)
            else:
                self.found.append(mistakes.unknown_name(span, name, self.env.candidates()))
            self.env.failed.add(name)

    def settle(self, group: Group) -> None:
        if group.recurs:
            derive.settle_recurrence(self, group.lines)
        else:
            self.settle_line(group.lines[0])

    def settle_line(self, line: Line) -> None:
        self.env.touched.clear()
        done = self.guarded(line.statement.span, lambda: self.say(line))
        self.columns_read.setdefault(line.statement.span, set()).update(self.env.touched)
        if not done and line.defines is not None:
            (self.half_said if self.env.is_column(line.defines) else self.env.failed).add(line.defines)

    def guarded(self, span: Span, read: Callable[[], None]) -> bool:
        """Run a step; what goes wrong is kept as a mistake. Whether all went well."""
        try:
            read()
            return True
        except Failed as error:
            self.found.append(error.mistake)
        except TooLarge as error:
            self.found.append(mistakes.too_large(span, error.elements, terms.MOST_ELEMENTS))
        except RecursionError:
            self.found.append(language_mistakes.nested_too_deeply(span, MOST_NESTED))
        except Skipped:
            pass
        return False

    def say(self, line: Line) -> None:
        match line.statement:
            case s.Assign():
                derive.derive(self, line, line.statement)
            case s.Tilde(target, node):
                self.draw(line, target, node)
            case s.Ode() as statement:
                odes.settle(self, line, statement)
            case s.FactorOf():
                self.factors.append(factors.read(self.reader(line), line.statement, self.notes))

    def reader(self, line: Line, lifted: tuple[Levels, ...] = ()) -> Reader:
        """A reader inside the loops of a line."""
        return loops.opened(Reader(self.env, Scope(lifted)), line.loops, self.plates)

    def is_latent(self, name: str) -> bool:
        return name in self.names.random and not self.env.is_column(name) and name not in self.names.derived

    # -- `~` on latents -----------------------------------------------------------------------------------------------

    def draw(self, line: Line, target: s.Expr, node: s.Dist) -> None:
        if line.defines is not None and self.is_latent(line.defines):
            self.settle_latent(line, line.defines, target, node)
        else:
            self.settle_factor(line, target, node)

    def declare(self, name: str) -> None:
        """Settle the shape of a latent whose brackets and loops tell it. Its lines need not have been read."""
        if name in self.declaring or name in self.env.settled or not self.is_latent(name):
            return
        lines = self.names.lines_of(name)
        if any(line.subscripts is None for line in lines):
            return
        self.declaring.add(name)
        if not self.guarded(lines[0].name_span, lambda: self.declare_shape(name, lines)):
            self.env.failed.add(name)
        self.declaring.discard(name)

    def declare_shape(self, name: str, lines: list[Line]) -> None:
        first = lines[0]
        assert isinstance(first.statement, s.Tilde) and first.subscripts is not None
        family, event_rank = dist.family_of(first.statement.dist), dist.event_rank_of(first.statement.dist)
        if not self.names.is_piecewise(name):
            axes, _ = brackets.declared(Reader(self.env, Scope()), first.subscripts)
        else:
            for line in lines:
                inside = derive.whole_loops(self, line, name)
                self.places[id(line)] = brackets.place_of(inside, name, line.subscripts or ())
                found, expected = len(line.subscripts or ()), len(first.subscripts)
                if found != expected:
                    raise Failed(loop_mistakes.pieces_differ(line.name_span, name, found, expected))
            places = [self.places[id(line)] for line in lines]
            lengths = brackets.lengths_of(places)
            brackets.check_cover(name, places, [line.name_span for line in lines], lengths)
            axes = tuple(Axis(str(length), length) for length in lengths)
            if event_rank and not isinstance(first.subscripts[-1], s.Range):
                axes = (*axes, *self.event_axes(name, lines))
        kind = Kind.INTEGER if family.discrete else Kind.REAL
        self.env.settled[name] = terms.latent(name, axes, first.name_span, kind)

    def event_axes(self, name: str, lines: list[Line]) -> tuple[Axis, ...]:
        """The event axes of a latent defined in loops, from the arguments of a piece that does not use the latent."""
        for line in lines:
            assert isinstance(line.statement, s.Tilde)
            if name in line.uses:
                continue
            found = read(self.reader(line), line.statement.dist)
            if axes := found.event_axes():
                return axes
        node = lines[0].statement.dist  # type: ignore[union-attr]
        raise Failed(mistakes.event_axis_missing(lines[0].name_span, node.family.name, name, dist.event_rank_of(node)))

    def settle_latent(self, line: Line, name: str, target: s.Expr, node: s.Dist) -> None:
        earlier = self.pieces.get(name)
        piecewise = self.names.is_piecewise(name)
        if earlier and not piecewise:
            place = self.env.source.place(earlier[0].span.start)[0]
            raise Failed(language_mistakes.defined_twice(line.name_span, name, place))
        self.declare(name)
        if name in self.env.failed:
            raise Skipped(name)
        lifted: tuple[Levels, ...] = ()
        if line.subscripts is not None and not piecewise:
            _, lifted = brackets.declared(Reader(self.env, Scope()), line.subscripts)
        reader = self.reader(line, lifted)
        if reader.scope.plates and line.subscripts is None:
            variables = [plate.name for plate in reader.scope.plates]
            raise Failed(loop_mistakes.latent_in_loop(line.name_span, name, variables))
        found = read(reader, node)
        if name not in self.env.settled:  # without a bracket: the shape of its arguments
            axes = self.shape_of_arguments(reader, found)
            if len(axes) < found.event_rank:
                raise Failed(mistakes.event_axis_missing(target.span, found.name, name, found.event_rank))
            kind = Kind.INTEGER if found.family.discrete else Kind.REAL
            self.env.settled[name] = terms.latent(name, axes, target.span, kind)
        value = reader.read(target) if piecewise else self.env.settled[name]
        dist.fit_to(reader, found, name, value.axes, target.span, observed=False)
        self.distributions.append(found)
        log_prob = density.log_prob(reader, found, density.categories(reader, value, found), node.span)
        log_prob = loops.over_plates(reader, log_prob, reader.scope.plates, node.span)
        axes = (*reader.scope.plates, *value.axes) if piecewise else value.axes
        piece = Piece(found, log_prob, self.places.get(id(line)), axes, target.span)
        self.pieces.setdefault(name, []).append(piece)

    def shape_of_arguments(self, reader: Reader, found: Distribution) -> tuple[Axis, ...]:
        """A latent without a bracket takes the shape of its arguments."""
        try:
            plates = found.plates()
        except Misaligned as error:
            nodes = list(found.nodes)
            raise Failed(mends.misaligned(reader, error, list(found.parameters), nodes, found.span)) from None  # type: ignore[arg-type]
        return (*plates, *found.event_axes())

    # -- `~` on what is known, or an expression -----------------------------------------------------------------------

    def settle_factor(self, line: Line, target: s.Expr, node: s.Dist) -> None:
        reader = self.reader(line)
        gaps = self.gaps_of(line)
        seeing = reader if gaps is None else impute.bound_to(reader, gaps.name, gaps.seen)
        if isinstance(target, s.Index) and line.defines is not None and not line.loops:
            target = indexing.without_counts(seeing, target)
        text = reader.text(target)
        value = derive.read_whole(seeing, line, self.names, target)
        if not value.known and line.defines is not None:
            raise Failed(mistakes.observed_is_derived(target.span, text))
        found = read(reader, node)
        if found.family.name == "Param":
            raise Failed(point_mistakes.not_a_latent(node.span, text, value.known))
        if found.family.support.kind != "category":
            value = self.env.as_number(value, text, target.span)
        value = density.categories(reader, as_scalar(value) if not self.is_vector(found) else value, found)
        if isinstance(target, s.Number) or (not value.known and not value.axes):
            value = reader.spread(value, self.shape_of_arguments(reader, found), target.span)
        dist.fit_to(reader, found, text, value.axes, target.span, observed=True)
        numbers = None if gaps is None else impute.bound_to(reader, gaps.name, gaps.numbers).read(target)
        missing = None if numbers is None else impute.is_missing(numbers)
        if value.known and not (gaps is not None and gaps.all_missing):
            counts = indexing.counts(reader, value) & (True if missing is None else ~missing)
            support.check_values(reader, found, value, counts, text, target.span)
        self.distributions.append(found)
        log_prob = density.log_prob(reader, found, value, line.statement.span)
        log_prob = loops.over_plates(reader, log_prob, reader.scope.plates, line.statement.span)
        if gaps is not None and numbers is not None:
            log_prob, parts = impute.impute(reader, gaps, numbers, found, log_prob, target.span)
            self.pieces.setdefault(gaps.name, []).extend(parts.pieces)
            self.factors += parts.factors
        log_prob = loops.masked(reader, log_prob, 0.0, line.statement.span)
        if missing is None or not missing.all():
            self.factors.append(Factor(text, found, value, log_prob, line.statement.span, missing))

    # -- missing cells ------------------------------------------------------------------------------------------------

    def gaps_of(self, line: Line) -> Gaps | None:
        """The missing cells of the name that a line observes, if there are any."""
        name = line.defines
        if name is None or not self.env.is_column(name) or self.data.columns[name].missing is None:
            return None
        self.env.column(name, line.name_span)
        return self.gaps[name]

    def whole(self, name: str, span: Span) -> Term:
        """What stands for a random column with missing cells."""
        if name not in self.gaps:
            statement = self.names.random[name].statement
            assert isinstance(statement, s.Tilde)
            family, rank = dist.family_of(statement.dist), dist.event_rank_of(statement.dist)
            self.gaps[name] = gaps_of(name, self.data.columns[name], family, rank, span)
        return self.gaps[name].whole

    def check_gaps(self) -> None:
        for name, gaps in self.gaps.items():
            if name in self.half_said:
                continue
            span = self.names.random[name].name_span
            self.guarded(span, partial(impute.check_all_said, gaps, span))

    def is_vector(self, found: Distribution) -> bool:
        return bool(found.event_rank) or any(term.axes for term in found.parameters)

    # -- the whole ----------------------------------------------------------------------------------------------------

    def check_supports(self) -> None:
        supports = {name: pieces[0].distribution for name, pieces in self.pieces.items() if len(pieces) == 1}
        for found in self.distributions:
            slip = support.check_against_support(found, supports)
            if slip is not None:
                name, mistake = slip
                self.found.append(mistake)
                del supports[name]  # said once

    def latents(self) -> dict[str, Latent]:
        return {
            name: Latent(name, self.axes_of(name), tuple(pieces), pieces[0].span)
            for name, pieces in self.pieces.items()
            if pieces
        }

    def axes_of(self, name: str) -> tuple[Axis, ...]:
        return self.gaps[name].latent.axes if name in self.gaps else self.env.settled[name].axes

    def model(self) -> Model:
        latents = self.latents()
        needed = self.needed(latents)
        inferring = self.data.fitted is None and not self.data.taken_away
        if inferring:
            self.found += support.check_roles(latents.values(), needed)
        inferred = tuple(x for name, x in latents.items() if name in needed and not x.family.discrete)
        self.found += bounds.circles(inferred)
        self.found += points.check(inferred)
        if inferring and not any(factor.observed or factor.distribution is None for factor in self.factors):
            self.found = [mistakes.nothing_observed(None, list(self.names.random), list(self.data.columns))]
        if self.found:
            raise ModelError(self.names.program.source, self.found)
        self.point_out_near_misses(latents)
        discrete = tuple(x for name, x in latents.items() if name in needed and x.family.discrete)
        simulated = tuple(latent for name, latent in latents.items() if name not in needed)
        given, derived = tuple(self.factors), dict(self.derived)
        graph = draw_graph.draw(self.names, self.data, self.columns_read, latents, needed, given, derived)
        notes = tuple(self.notes)
        return Model(self.env.source, self.data, inferred, discrete, simulated, given, derived, graph, notes)

    def needed(self, latents: dict[str, Latent]) -> set[str]:
        """The latents that something observed, or a factor, depends on."""
        roots = [term for factor in self.factors for term in (factor.log_prob, factor.value) if term is not None]
        waiting = list(terms.inputs(roots))
        needed: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                for piece in latents[name].pieces:
                    waiting += terms.inputs([piece.log_prob, *piece.distribution.all_terms])
        return needed

    def point_out_near_misses(self, latents: dict[str, Latent]) -> None:
        """A latent whose name is almost that of a column nobody uses is most likely a slip."""
        used = set().union(*self.columns_read.values()) | {factor.name for factor in self.factors}
        unused = [name for name in self.data.columns if name not in used]
        for name in (name for name in latents if name not in self.gaps):
            close = nearest(name, unused, cutoff=0.8)
            if close is not None:
                self.notes.append(f"`{name}` is not in the data and is inferred; did you mean the column `{close}`?")
