"""term -> the same with points of simplexes in place of the elements of discrete latents.

An element with K values becomes weights (K,) that sum to 1 (Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017). What
follows from it and data alone is worked out at each of its values and weighed: an index picks a mean of what it picks
from, `z == 2` is a weight. Where it is the value of a distribution, the log density is weighed; as a parameter, and in
arithmetic with other unknowns, its place is taken by the weighted mean. At the corners, where one weight is 1, every
term is what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis, plain
from ppl.data.column import Kind
from ppl.language.errors import Mistake
from ppl.model import discrete_mistakes, relax_mistakes, terms
from ppl.model import functions as fn
from ppl.model.distributions.family import COUNT, WHOLE
from ppl.model.distributions.table import FAMILIES
from ppl.model.indexing import pick_by
from ppl.model.terms import Op, Term
from ppl.numeric import gather
from ppl.values import dataclass

_AT = "\x1e"  # between a latent's name and a word: in no name
_MOST_TOGETHER = 64  # combinations of the values of several elements
_LINEAR = ("+", "-", "*", "neg")  # of means they are the means
_STEPS = (*fn.COMPARISONS, "and", "or", "not", "floor", "if")  # of means they are not, nor have a slope


class CannotRelax(Exception):
    """A density that depends on a discrete latent in a way that has no meaning between its values."""

    def __init__(self, mistake: Mistake):
        super().__init__(mistake.message)
        self.mistake = mistake


def weights_of(name: str) -> str:
    """What the weights (*shape, K) of a latent's elements are called, as an input."""
    return f"{name}{_AT}weights"


def shares_of(name: str) -> str:
    """The same of their probabilities by the guide."""
    return f"{name}{_AT}shares"


def name_of(source: str) -> str:
    """The way back."""
    return source.partition(_AT)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A term at each value of an element, in the order of values: they have the term's axes, their `weights` maybe
    fewer. `of` says of which elements: those of equal tables are the same. A `density` is weighed last.
    """

    weights: tuple[Term, ...]
    values: tuple[Term, ...]
    of: tuple[Any, ...]
    density: bool = False

    @property
    def known(self) -> bool:
        return all(value.known for value in self.values)


class OnSimplex:
    """Terms made anew, each once; `values` by the names of the latents that go. Raises `CannotRelax`, `TooLarge`."""

    def __init__(self, values: Mapping[str, np.ndarray]):
        self._values = values
        self._bases: dict[str, Table] = {}
        self._made: dict[int, Term | Table] = {}
        self._settled: dict[int, Term] = {}
        self._soft: dict[int, Term] = {}  # made, and depending on weights
        self._indices: set[int] = set()  # what random indices are made of

    def term(self, wanted: Term) -> Term:
        """A term in which the weights stand for the latents."""
        self._make(wanted)
        return self._settle(wanted)

    def expected(self, log_prob: Term) -> tuple[Term, list[Term]]:
        """The log density of a latent that goes, weighed by the probabilities of its values and not by weights, and
        the log densities of each.
        """
        self._make(log_prob)
        table = self._made[id(log_prob)]
        if not isinstance(table, Table) or not table.density:
            raise CannotRelax(relax_mistakes.no_prior(log_prob.span))

        def change(each: Term, args: tuple[Term, ...]) -> Term | None:
            if each.source is None:
                return None
            return terms.latent(shares_of(name_of(each.source)), each.axes, each.span)

        possible = [_without_infinities(value) for value in table.values]
        shares = terms.rebuild(table.weights, change)
        return _weighed(Table(tuple(shares), tuple(possible), table.of), log_prob), list(table.values)

    def _make(self, wanted: Term) -> None:
        order = terms.ancestors([wanted])
        for term in order:
            if term.op is not None and term.op.name == "take" and not term.known:
                self._indices.update(id(each) for each in terms.ancestors(term.args[1:]))
        for term in order:
            if id(term) not in self._made:
                made = self._changed(term)
                self._made[id(term)] = made
                if isinstance(made, Term) and any(id(arg) in self._soft for arg in made.args):
                    self._soft[id(made)] = made

    def _changed(self, term: Term) -> Term | Table:
        if term.known or term.op is None:
            return self._base(term) if term.source in self._values else term
        args: list[Term | Table] = [self._made[id(arg)] for arg in term.args]
        name = term.op.name
        if name.endswith(".log_prob"):
            self._check_density(term, args)
        if not any(isinstance(arg, Table) for arg in args):
            return self._plain(term, self._terms(args))
        if name == "take":
            return self._taken(term, args)
        if name == "fill":
            return self._filled(term, args)
        if term.op.moves and len(args) == 1:
            return self._moved(term, args[0])
        if name == "within" and any(isinstance(arg, Table) for arg in args[2:]):
            raise CannotRelax(relax_mistakes.bound(term.span, self._name(args[2:])))
        if name == "guard" or name.endswith((".log_prob", ".log_mass")):  # parameters are means
            first = int(not name.endswith(".log_mass"))
            args[first:] = [self._settle(arg) for arg in term.args[first:]]
        return self._elementwise(term, args)

    def _elementwise(self, term: Term, args: list[Term | Table]) -> Term | Table:
        """An operation on tables: at each value where it works on elements alone, else on the means."""
        op = term.op
        assert op is not None
        tables = [arg for arg in args if isinstance(arg, Table)]
        whole = any(isinstance(arg, Table) and op.core_rank(i) > 0 for i, arg in enumerate(args))
        others = any(not isinstance(arg, Table) and not arg.known for arg in args)
        density = op.name.endswith(".log_prob") or any(table.density for table in tables)
        linear = op.name in _LINEAR or (op.name == "/" and not isinstance(args[1], Table))
        linear = linear or (op.name == "if" and not isinstance(args[0], Table))
        needed = id(term) in self._indices
        if needed and any(isinstance(arg, Term) and id(arg) in self._soft for arg in args):
            raise CannotRelax(relax_mistakes.index(term.span, self._name(tables)))
        apart = others or len({table.of for table in tables}) > 1
        if not tables or whole or op.moves or op.drops or op.adds or (linear and apart and not density and not needed):
            return self._plain(term, [self._settle(arg) for arg in term.args])
        found = self._at_each(term, args)
        return found if density or needed or found.known else self._soft_sum(found, term)

    def _at_each(self, term: Term, args: Sequence[Term | Table]) -> Table:
        """At all combinations of values of the elements that the arguments depend on."""
        op = term.op
        assert op is not None
        own = {arg.of: arg for arg in args if isinstance(arg, Table)}
        lengths = [len(table.values) for table in own.values()]
        if np.prod(lengths) > _MOST_TOGETHER and len(own) > 1:
            raise CannotRelax(relax_mistakes.together(term.span, self._name(args), int(np.prod(lengths))))
        values, weights = [], []
        for places in product(*(range(length) for length in lengths)):
            at = dict(zip(own, places, strict=True))
            values.append(_applied(term, [x.values[at[x.of]] if isinstance(x, Table) else x for x in args]))
            each = [table.weights[at[of]] for of, table in own.items()]
            weights.append(_product(each, term))
        density = op.name.endswith(".log_prob") or any(isinstance(x, Table) and x.density for x in args)
        return Table(tuple(weights), tuple(values), tuple(own) if len(own) > 1 else next(iter(own)), density)

    def _base(self, term: Term) -> Table:
        """A latent itself."""
        name = str(term.source)
        if name not in self._bases:
            axis = plain(len(self._values[name]))
            whole = terms.latent(weights_of(name), (*term.axes, axis), term.span)
            weights = tuple(_at(whole, (len(term.axes),), k) for k in range(axis.length))
            values = tuple(_filled_with(value, term) for value in self._values[name])
            self._soft |= {id(each): each for each in (whole, *weights)}
            self._bases[name] = Table(weights, values, (name,))
        return self._bases[name]

    def _moved(self, term: Term, table: Term | Table) -> Table:
        """Elements picked, repeated or put in another order."""
        assert isinstance(table, Table) and term.op is not None
        arg = term.args[0]
        weights = [_applied(term, [_spread(weight, arg)]) for weight in table.weights]
        values = [_applied(term, [value]) for value in table.values]
        of = (table.of, term.op.name, term.op.options, str(term.plates))
        return Table(tuple(weights), tuple(values), of, table.density)

    def _filled(self, term: Term, args: Sequence[Term | Table]) -> Term | Table:
        """Known elements, and those of a latent: what is known has any weights."""
        given, table = args
        if not isinstance(given, Term) or not isinstance(table, Table):
            return self._plain(term, [self._settle(arg) for arg in term.args])
        even = _filled_with(1.0 / len(table.weights), given)
        weights = [_applied(term, [even, _spread(weight, term.args[1])]) for weight in table.weights]
        values = [_applied(term, [given, value]) for value in table.values]
        assert term.op is not None
        return Table(tuple(weights), tuple(values), (table.of, term.op.name, term.op.options))

    def _taken(self, term: Term, args: Sequence[Term | Table]) -> Term | Table:
        """What a random index picks: the mean, by its weights, of what its values pick."""
        base, index = self._settle(term.args[0]), args[1]
        assert term.op is not None
        if not isinstance(index, Table):
            return self._plain(term, [base, index])
        places, before = term.op.options
        kept = [axis for i, axis in enumerate(base.axes) if i not in places]
        length = int(np.prod([base.axes[place].length for place in places]))
        self._check_positions(term, index, length)
        weights = tuple(_behind(weight, tuple(kept[before:])) for weight in index.weights)
        one_by_one = before > 0 or base.known or bool(term.args[1].plates) or bool(base.plates) or not index.known
        values = []
        for value in index.values:
            position = np.asarray(value.value)
            if one_by_one or not (position == position.reshape(-1)[:1]).all():
                values.append(_applied(term, [base, value]))
            else:  # the same for all: picked once
                values.append(_at(base, places, int(position.reshape(-1)[0]) if position.size else 0))
        found = Table(weights, tuple(values), (index.of, "take", id(base)))
        return found if found.known else self._soft_sum(found, term)

    def _check_positions(self, term: Term, index: Table, length: int) -> None:
        known = [np.asarray(value.value).reshape(-1) for value in index.values if value.known]
        positions = np.concatenate([np.zeros(0), *known])
        if positions.size and (positions.min() < 0 or positions.max() >= length):
            low, high = int(positions.min()) + 1, int(positions.max()) + 1
            name = self._name([index])
            raise CannotRelax(discrete_mistakes.index_outside(term.span, name, low, high, length))

    def _check_density(self, term: Term, args: Sequence[Term | Table]) -> None:
        """What must be whole is no mean."""
        assert term.op is not None
        family = FAMILIES.get(term.op.name.removesuffix(".log_prob"))
        form = None if family is None else family.form_with(frozenset(term.op.options))
        if family is None or form is None:
            return
        required = [None, *(parameter.requirement for parameter in form.parameters)]
        for i, (arg, requirement) in enumerate(zip(args, required, strict=False)):
            soft = isinstance(arg, Table) if i else False
            soft = soft or (isinstance(arg, Term) and id(arg) in self._soft)
            whole = requirement in (COUNT, WHOLE) if i else family.discrete
            if soft and whole:
                raise CannotRelax(relax_mistakes.whole(term.span, self._name([arg]), family.name))

    def _plain(self, term: Term, args: Sequence[Term]) -> Term:
        """The operation on other terms."""
        assert term.op is not None
        if any(id(arg) in self._soft for arg in args[: 1 if term.op.name == "if" else None]):
            if term.op.name in _STEPS:
                raise CannotRelax(relax_mistakes.step(term.span, self._name(args)))
            if term.op.name == "take" and id(args[1]) in self._soft:
                raise CannotRelax(relax_mistakes.index(term.span, self._name(args[1:])))
        made = term if all(arg is old for arg, old in zip(args, term.args, strict=True)) else _applied(term, args)
        if any(id(arg) in self._soft for arg in args):
            self._soft[id(made)] = made
        return made

    def _settle(self, term: Term) -> Term:
        """What stands for a term: where it is a table, its mean."""
        made = self._made[id(term)]
        if isinstance(made, Term):
            return made
        if id(term) not in self._settled:
            self._settled[id(term)] = self._soft_sum(made, term)
        return self._settled[id(term)]

    def _soft_sum(self, table: Table, term: Term) -> Term:
        found = _weighed(table, term)
        self._soft[id(found)] = found
        return found

    def _terms(self, args: Iterable[Term | Table]) -> list[Term]:
        return [arg for arg in args if isinstance(arg, Term)]

    def _name(self, args: Iterable[Term | Table]) -> str:
        """A latent that some of these depend on, for messages."""
        every = [each for arg in args for each in ([arg] if isinstance(arg, Term) else arg.weights)]
        found = [name_of(source) for source in terms.inputs(every) if _AT in source]
        return found[0] if found else next(iter(self._values))


def _applied(term: Term, args: Sequence[Term]) -> Term:
    """The operation of a term on other arguments."""
    assert term.op is not None
    if term.op.name == "take" and args[1].known:
        places, before = term.op.options
        kept = [axis for i, axis in enumerate(args[0].axes) if i not in places]
        axes = (*kept[:before], *args[1].axes, *kept[before:])
        return pick_by(args[0], places, args[1], axes, before, term.span)
    core = term.axes[len(terms.leading_of(term)) :]
    return terms.apply(term.op, tuple(args), core, term.span, term.kind)


def _filled_with(value: float, like: Term) -> Term:
    kind = Kind.INTEGER if float(value).is_integer() else Kind.REAL
    return terms.constant(np.full(like.shape, float(value)), like.axes, like.span, kind, like.plates)


def _at(base: Term, places: tuple[int, ...], position: int) -> Term:
    """What stands at one position of the axes at `places`, taken as one."""
    lengths = tuple(base.axes[place].length for place in places)
    own = dict(zip(places, (int(i) for i in np.unravel_index(position, lengths)), strict=True))
    key = (..., *(own.get(i, slice(None)) for i in range(len(base.axes))))
    kept = tuple(axis for i, axis in enumerate(base.axes) if i not in places)
    options = tuple(own.get(i, (None, None)) for i in range(len(base.axes)))
    op = Op("pick", lambda x: gather.pick(x, key), (len(base.axes),), options, moves=True)
    return terms.apply(op, (base,), kept, base.span, base.kind)


def _spread(weight: Term, like: Term) -> Term:
    """Weights over all axes of a term."""
    if weight.axes == like.axes and weight.plates == like.plates:
        return weight
    return terms.apply(fn.MULTIPLY, (weight, _filled_with(1.0, like)), (), weight.span)


def _behind(weight: Term, axes: tuple[Axis, ...]) -> Term:
    """Weights, the same along further axes behind their own."""
    if not axes:
        return weight
    lengths = tuple(axis.length for axis in axes)

    def apply(x: Any) -> Any:
        return anp.reshape(x, (*anp.shape(x), *([1] * len(lengths)))) * np.ones(lengths)

    return terms.apply(Op("repeated behind", apply, (0,), lengths), (weight,), axes, weight.span)


def _product(weights: Sequence[Term], term: Term) -> Term:
    found = weights[0]
    for weight in weights[1:]:
        found = terms.apply(fn.MULTIPLY, (found, weight), (), term.span)
    return found


def _weighed(table: Table, term: Term) -> Term:
    """The sum of weights times values."""
    parts = []
    for weight, value in zip(table.weights, table.values, strict=True):
        if value.known and not np.any(value.value):
            continue
        one = value.known and np.all(value.value == np.ones(())) and weight.shape == value.shape
        parts.append(weight if one else terms.apply(fn.MULTIPLY, (weight, value), (), term.span))
    if not parts:
        return replace(_filled_with(0.0, term), kind=Kind.REAL)
    found = parts[0]
    for part in parts[1:]:
        found = terms.apply(fn.ADD, (found, part), (), term.span)
    return found


def _without_infinities(value: Term) -> Term:
    """Log densities that are known, 0 in place of minus infinity: no probability is given to these values."""
    if not value.known:
        return value
    numbers = np.asarray(value.value, dtype=np.float64)
    return replace(value, value=np.where(np.isfinite(numbers), numbers, 0.0))
