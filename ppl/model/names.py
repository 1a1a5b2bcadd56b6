"""program -> lines and names: what each statement defines and uses, before any data is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from ppl.language import mistakes
from ppl.language import syntax as s
from ppl.language.build import is_family_name
from ppl.language.errors import Mistake, ModelError
from ppl.language.source import Span
from ppl.model import data_mistakes, level_names, ode_mistakes
from ppl.model.arguments import match_parameters
from ppl.model.distributions.constraint import CONSTRAINTS
from ppl.model.distributions.table import FAMILIES
from ppl.model.functions import FUNCTIONS
from ppl.model.wrappers import WRAPPERS, told_apart
from ppl.values import dataclass

_MOST_NESTED = 100  # one-line functions that call each other


@dataclass(frozen=True, slots=True)
class Line:
    """One statement that says something about numbers: `~`, `=` or `factor`; or an `ode`, as one line for each state.

    `defines` is the name on its left, if that is a name with or without a bracket; `uses` are all names it reads,
    each with the first place where it stands, those in the bracket and in the bounds of its `loops` (outermost first)
    included, and `shape_uses` these alone.
    """

    statement: s.Tilde | s.Assign | s.FactorOf | s.Ode
    defines: str | None
    name_span: Span
    uses: dict[str, Span] = field(hash=False)
    shape_uses: frozenset[str] = frozenset()
    loops: tuple[s.Binder, ...] = ()

    @property
    def random(self) -> bool:
        return isinstance(self.statement, s.Tilde)

    @property
    def subscripts(self) -> tuple[s.Expr | s.Range | s.Whole, ...] | None:
        """What stands in the bracket of the name on the left; None without a bracket."""
        match self.statement:
            case s.Tilde(s.Index(_, subscripts), _):
                return subscripts if self.defines is not None else None
            case s.Assign(_, subscripts, _):
                return subscripts
        return None


@dataclass(frozen=True, slots=True)
class Names:
    """The lines of a program in order, and its one-line functions."""

    program: s.Program
    lines: tuple[Line, ...]
    functions: dict[str, s.Define]

    @property
    def random(self) -> dict[str, Line]:
        """The first `~` line of every name."""
        found: dict[str, Line] = {}
        for line in self.lines:
            if line.random and line.defines is not None:
                found.setdefault(line.defines, line)
        return found

    @property
    def derived(self) -> dict[str, Line]:
        return {line.defines: line for line in self.lines if not line.random and line.defines is not None}

    def lines_of(self, name: str) -> list[Line]:
        """The lines that define a name: those with `=` where there are any, else those with `~`."""
        own = [line for line in self.lines if line.defines == name]
        derived = [line for line in own if not line.random]
        return derived or own

    def is_piecewise(self, name: str) -> bool:
        """Whether a name is defined piece by piece: in loops, over ranges, or by several statements with brackets."""
        lines = self.lines_of(name)
        if any(line.subscripts is None for line in lines):
            return False
        ranged = any(isinstance(x, s.Range | s.Whole) for line in lines for x in line.subscripts or ())
        return ranged or len(lines) > 1 or any(line.loops for line in lines)

    def read_from_data(self) -> dict[str, Span]:
        """The names that are used and never defined, each with its first place."""
        defined = {line.defines for line in self.lines}
        found: dict[str, Span] = {}
        for line in self.lines:
            for name, span in line.uses.items():
                if name not in defined:
                    found.setdefault(name, span)
        return found


def find_names(program: s.Program) -> Names:
    """Raises `ModelError` with all mistakes that show without data: functions, families, arguments, definitions."""
    found: list[Mistake] = []
    functions: dict[str, s.Define] = {}
    for statement in program.statements:
        if isinstance(statement, s.Define):
            _check_function(statement, functions, found)
            functions.setdefault(statement.name.name, statement)
    finder = _Finder(functions, found)
    lines = tuple(finder.lines(program.statements, ()))
    names = Names(program, lines, functions)
    _check_definitions(names, found)
    found += level_names.check(program, names.derived)
    if not any(line.random for line in lines) and not found:
        found.append(mistakes.no_random_names(None))
    if found:
        raise ModelError(program.source, found)
    return names


def _check_function(define: s.Define, functions: dict[str, s.Define], found: list[Mistake]) -> None:
    name = define.name.name
    if is_family_name(name):
        found.append(mistakes.function_in_capitals(define.name.span, name))
    elif name in FUNCTIONS or name in functions or name == "logp":
        found.append(mistakes.function_defined(define.name.span, name))
    seen = set()
    for parameter in define.parameters:
        if parameter.name in seen:
            found.append(mistakes.repeated_parameter(parameter.span, parameter.name))
        seen.add(parameter.name)


def _check_definitions(names: Names, found: list[Mistake]) -> None:
    """Every derived name has one definition, or one of each piece, which the data must show.

    A second `~` is a mistake for latents alone, and needs the data too.
    """
    first: dict[str, Line] = {}
    for line in names.lines:
        if line.defines is None or line.random:
            continue
        earlier = first.setdefault(line.defines, line)
        if earlier is not line and (line.subscripts is None or earlier.subscripts is None):
            place = names.program.source.place(earlier.name_span.start)[0]
            found.append(mistakes.defined_twice(line.name_span, line.defines, place))


@dataclass(slots=True)
class _Finder:
    """Walks expressions without recursion, checks every call and gathers the names that are read."""

    functions: dict[str, s.Define]
    found: list[Mistake]
    free: dict[str, dict[str, Span]] = field(default_factory=dict)  # by function: the names its body reads
    expanding: list[str] = field(default_factory=list)
    arguments: set[Span] = field(default_factory=set)  # of the distributions that stand as arguments of others
    densities: set[Span] = field(default_factory=set)  # of what stands inside `logp`

    def lines(self, statements: tuple[s.Statement, ...], loops: tuple[s.Binder, ...]) -> Iterator[Line]:
        """The lines of a block, those inside loops with all the loops around them."""
        for statement in statements:
            match statement:
                case s.For(binders, body):
                    yield from self.lines(body, (*loops, *binders))
                case s.Define(name) if loops:
                    self.found.append(data_mistakes.in_a_loop(statement.span, f"{name.name}(...) ="))
                    self.functions.setdefault(name.name, statement)  # said once
                case s.Define(name):
                    self.reads_of(name.name)
                case s.Data() | s.Levels():
                    if loops:
                        self.found.append(data_mistakes.in_a_loop(statement.span, type(statement).__name__.lower()))
                case s.Ode():
                    yield from self.states(statement, loops)
                case _:
                    yield self.line(statement, loops)

    def line(self, statement: s.Tilde | s.Assign | s.FactorOf, loops: tuple[s.Binder, ...]) -> Line:
        bound = frozenset(binder.name.name for binder in loops)
        bounds: list[s.Node] = [node for binder in loops for node in (binder.low, binder.high)]
        defines: str | None = None
        bracket: list[s.Node] = []
        match statement:
            case s.Tilde(target, dist):
                defines, span, bracket, others = _left_side(target)
                reads = [*others, dist]
            case s.Assign(name, subscripts, value):
                defines, span, bracket, reads = name.name, name.span, list(subscripts or ()), [value]
            case s.FactorOf(value):
                span, reads = statement.span, [value]
        shape = self.names_in([*bounds, *bracket], bound)
        uses = dict(shape)
        for used, place in self.names_in(reads, bound).items():
            uses.setdefault(used, place)
        return Line(statement, defines, span, uses, frozenset(shape), loops)

    def states(self, statement: s.Ode, loops: tuple[s.Binder, ...]) -> Iterator[Line]:
        """A line for each state; all of them read all that the equations read."""
        self.found += ode_mistakes.of_equations(statement, inside=bool(loops))
        own = frozenset(state.name.name for state in statement.states)
        uses = self.names_in([statement.times, statement.origin], frozenset())
        starts = self.names_in([state.start for state in statement.states], frozenset())
        self.found += [ode_mistakes.start_reads_state(span, name) for name, span in starts.items() if name in own]
        slopes = self.names_in([state.slope for state in statement.states], own | {statement.time.name})
        uses = {**slopes, **{name: span for name, span in starts.items() if name not in own}, **uses}
        for state in statement.states:
            yield Line(statement, state.name.name, state.name.span, uses)

    def names_in(self, nodes: list[s.Node], bound: frozenset[str]) -> dict[str, Span]:
        uses: dict[str, Span] = {}
        for name, span in self.walk(nodes, bound):
            uses.setdefault(name, span)
        return uses

    def reads_of(self, function: str) -> dict[str, Span]:
        """The names that the body of a function reads, besides its parameters."""
        if function not in self.free:
            define = self.functions[function]
            if function in self.expanding:
                self.found.append(mistakes.function_calls_itself(define.name.span, function))
                return {}
            if len(self.expanding) > _MOST_NESTED:
                self.found.append(mistakes.nested_too_deeply(define.name.span, _MOST_NESTED))
                return {}
            self.expanding.append(function)
            bound = frozenset(parameter.name for parameter in define.parameters)
            reads: dict[str, Span] = {}
            for name, span in self.walk([define.body], bound):
                reads.setdefault(name, span)
            self.expanding.pop()
            self.free[function] = reads
        return self.free[function]

    def walk(self, nodes: list[s.Node], bound: frozenset[str]) -> Iterator[tuple[str, Span]]:
        stack = [(node, bound) for node in reversed(nodes)]
        while stack:
            node, inside = stack.pop()
            match node:
                case s.Name(name, span):
                    if name not in inside:
                        yield name, span
                    continue
                case s.Call():
                    for name, span in self.call(node).items():
                        yield name, span
                    if node.function.name == "columns":
                        continue  # its arguments are names of columns
                case s.Comprehension(_, binders):
                    inside = inside | {binder.name.name for binder in binders}
                case s.LogDensityOf():
                    if node.span not in self.densities:
                        self.found.append(mistakes.tilde_in_expression(node.span))
                        continue
                case s.Dist():
                    self.dist(node)
            stack.extend((part, inside) for part in reversed(s.parts(node)))

    def call(self, node: s.Call) -> dict[str, Span]:
        """Check a call; the names that the body of a one-line function reads."""
        name = node.function.name
        count = sum(argument.keyword is None for argument in node.arguments)
        if name in self.functions:
            define = self.functions[name]
            self.keywords(node, ())
            self.runs_over_loops(node)
            if count != len(define.parameters):
                wanted = len(define.parameters)
                self.found.append(mistakes.wrong_arity(node.span, name, wanted, wanted, count))
            return self.reads_of(name)
        if name in FUNCTIONS:
            row = FUNCTIONS[name]
            loop = next((a.value for a in node.arguments if isinstance(a.value, s.Comprehension)), None)
            if loop is not None and (row.sort not in ("reduction", "either") or len(node.arguments) > 1):
                self.found.append(mistakes.no_loop(loop.span, name))
                return {}
            self.keywords(node, ("by",) if row.takes_by else ())
            if not row.least <= count <= row.most:
                self.found.append(mistakes.wrong_arity(node.span, name, row.least, row.most, count))
        elif is_family_name(name):
            self.found.append(
                mistakes.family_in_expression(node.function.span, name)
                if name in FAMILIES or name in CONSTRAINTS or name in WRAPPERS
                else mistakes.unknown_function(node.function.span, name, [*FUNCTIONS, *self.functions])
            )
        elif name == "logp":
            values = [argument.value for argument in node.arguments if argument.keyword is None]
            if len(node.arguments) != 1 or len(values) != 1 or not isinstance(values[0], s.LogDensityOf):
                self.found.append(mistakes.logp_without_tilde(node.span))
            self.densities |= {value.span for value in values if isinstance(value, s.LogDensityOf)}
        else:
            self.found.append(mistakes.unknown_function(node.function.span, name, [*FUNCTIONS, *self.functions]))
        return {}

    def keywords(self, node: s.Call, allowed: tuple[str, ...]) -> None:
        for argument in node.arguments:
            if argument.keyword is not None and argument.keyword.name not in allowed:
                self.found.append(
                    mistakes.no_keywords(argument.keyword.span, node.function.name, argument.keyword.name)
                )

    def runs_over_loops(self, node: s.Call | s.Dist) -> bool:
        """Whether `... for i in a..b` is among the arguments of what does not take it."""
        name = node.function.name if isinstance(node, s.Call) else node.family.name
        spans = [argument.value.span for argument in node.arguments if isinstance(argument.value, s.Comprehension)]
        self.found += [mistakes.no_loop(span, name) for span in spans]
        return bool(spans)

    def dist(self, node: s.Dist) -> None:
        if self.runs_over_loops(node):
            return
        name = node.family.name
        family = FAMILIES.get(name)
        if name in CONSTRAINTS:
            self.wrapper(node)
            return
        if name in WRAPPERS:
            self.found += told_apart(node)[2]
            return
        if family is None:
            if node.span in self.arguments and name not in self.functions:
                known = [*FUNCTIONS, *self.functions]
                self.found.append(mistakes.unknown_function(node.family.span, name, known))
            elif name not in self.functions:  # a function in capitals is reported where it is defined
                self.found.append(mistakes.unknown_family(node.family.span, name, [*FAMILIES, *CONSTRAINTS, *WRAPPERS]))
            return
        for argument in node.arguments:
            if not isinstance(argument.value, s.Dist):
                continue
            inner = argument.value
            self.arguments.add(inner.span)
            if inner.family.name in FAMILIES or inner.family.name in CONSTRAINTS or inner.family.name in WRAPPERS:
                self.found.append(mistakes.no_wrapper(inner.span, name, inner.family.name))
        self.found += match_parameters(node, family)[1]

    def wrapper(self, node: s.Dist) -> None:
        """A wrapper takes one distribution; that is looked at when its turn comes."""
        values = [argument.value for argument in node.arguments if argument.keyword is None]
        if len(values) != 1 or len(node.arguments) != 1 or not isinstance(values[0], s.Dist):
            self.found.append(mistakes.wrapper_needs_distribution(node.span, node.family.name))


def _left_side(target: s.Expr) -> tuple[str | None, Span, list[s.Node], list[s.Node]]:
    """The name that the left side of `~` is about, if it is one name, its bracket, and what it reads besides."""
    match target:
        case s.Name(name, span):
            return name, span, [], []
        case s.Index(s.Name(name, span), subscripts):
            return name, span, list(subscripts), []
    return None, target.span, [], [target]
