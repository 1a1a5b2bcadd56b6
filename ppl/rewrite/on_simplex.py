"""term -> the same with points of simplexes in place of the elements of discrete latents.

An element with K values becomes weights (K,) that sum to 1 (Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017). What
follows from it and data alone is worked out at each of its values and weighed: an index picks a mean of what it picks
from, `z == 2` is a weight. Where it is the value of a distribution, the log density is weighed; as a parameter, and in
arithmetic with other unknowns, its place is taken by the weighted mean. At the corners, where one weight is 1, every
term is what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np

from ppl.data.axes import plain
from ppl.language.errors import Mistake
from ppl.model import discrete_mistakes, relax_mistakes, terms
from ppl.model import functions as fn
from ppl.model.distributions.family import COUNT, WHOLE
from ppl.model.distributions.table import FAMILIES
from ppl.model.terms import Term
from ppl.rewrite.simplex_tables import (
    AT,
    Table,
    applied,
    at,
    behind,
    filled_with,
    name_of,
    product_of,
    shares_of,
    spread,
    weighed,
    weights_of,
    without_infinities,
)

_MOST_TOGETHER = 64  # combinations of the values of several elements
_LINEAR = ("+", "-", "*", "neg")  # of means they are the means
_STEPS = (*fn.COMPARISONS, "and", "or", "not", "floor", "if")  # of means they are not, nor have a slope


class CannotRelax(Exception):
    """A density that depends on a discrete latent in a way that has no meaning between its values."""

    def __init__(self, mistake: Mistake):
        super().__init__(mistake.message)
        self.mistake = mistake


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
        assert isinstance(table, Table) and table.density

        def change(each: Term, args: tuple[Term, ...]) -> Term | None:
            if each.source is None:
                return None
            return terms.latent(shares_of(name_of(each.source)), each.axes, each.span)

        possible = [without_infinities(value) for value in table.values]
        shares = terms.rebuild(table.weights, change)
        return weighed(Table(tuple(shares), tuple(possible), table.of), log_prob), list(table.values)

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
            values.append(applied(term, [x.values[at[x.of]] if isinstance(x, Table) else x for x in args]))
            each = [table.weights[at[of]] for of, table in own.items()]
            weights.append(product_of(each, term))
        density = op.name.endswith(".log_prob") or any(isinstance(x, Table) and x.density for x in args)
        return Table(tuple(weights), tuple(values), tuple(own) if len(own) > 1 else next(iter(own)), density)

    def _base(self, term: Term) -> Table:
        """A latent itself."""
        name = str(term.source)
        if name not in self._bases:
            axis = plain(len(self._values[name]))
            whole = terms.latent(weights_of(name), (*term.axes, axis), term.span)
            weights = tuple(at(whole, (len(term.axes),), k) for k in range(axis.length))
            values = tuple(filled_with(value, term) for value in self._values[name])
            self._soft |= {id(each): each for each in (whole, *weights)}
            self._bases[name] = Table(weights, values, (name,))
        return self._bases[name]

    def _moved(self, term: Term, table: Term | Table) -> Table:
        """Elements picked, repeated or put in another order."""
        assert isinstance(table, Table) and term.op is not None
        arg = term.args[0]
        weights = [applied(term, [spread(weight, arg)]) for weight in table.weights]
        values = [applied(term, [value]) for value in table.values]
        of = (table.of, term.op.name, term.op.options, str(term.plates))
        return Table(tuple(weights), tuple(values), of, table.density)

    def _filled(self, term: Term, args: Sequence[Term | Table]) -> Term | Table:
        """Known elements, and those of a latent: what is known has any weights."""
        given, table = args
        if not isinstance(given, Term) or not isinstance(table, Table):
            return self._plain(term, [self._settle(arg) for arg in term.args])
        even = filled_with(1.0 / len(table.weights), given)
        weights = [applied(term, [even, spread(weight, term.args[1])]) for weight in table.weights]
        values = [applied(term, [given, value]) for value in table.values]
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
        weights = tuple(behind(weight, tuple(kept[before:])) for weight in index.weights)
        one_by_one = before > 0 or base.known or bool(term.args[1].plates) or bool(base.plates) or not index.known
        values = []
        for value in index.values:
            position = np.asarray(value.value)
            if one_by_one or not (position == position.reshape(-1)[:1]).all():
                values.append(applied(term, [base, value]))
            else:  # the same for all: picked once
                values.append(at(base, places, int(position.reshape(-1)[0]) if position.size else 0))
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
        made = term if all(arg is old for arg, old in zip(args, term.args, strict=True)) else applied(term, args)
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
        found = weighed(table, term)
        self._soft[id(found)] = found
        return found

    def _terms(self, args: Iterable[Term | Table]) -> list[Term]:
        return [arg for arg in args if isinstance(arg, Term)]

    def _name(self, args: Iterable[Term | Table]) -> str:
        """A latent that some of these depend on, for messages."""
        every = [each for arg in args for each in ([arg] if isinstance(arg, Term) else arg.weights)]
        found = [name_of(source) for source in terms.inputs(every) if AT in source]
        return found[0] if found else next(iter(self._values))
