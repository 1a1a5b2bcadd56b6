"""fit, new rows -> draws of what would be observed there (the posterior predictive), and their summary.

The new rows are put behind those of the fit, and the model is settled anew: levels keep their names, and what the data
themselves decide (means, knots, counts) comes from the fit's rows. Observed names are missing in the new rows, which
makes them random; they are drawn given the fit's draws of everything that was inferred. Where the fit has an encoder
and the new rows hold what it reads, their latents come from it, and not from their priors; discrete ones by importance
weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ppl.compile.extend import (
    CannotExtend,
    Known,
    extended,
    in_order,
    means,
    places_of,
    probabilities,
    random_names,
)
from ppl.compile.replicate import piece_of
from ppl.compile.simulate import draw
from ppl.data.append import append, with_rows
from ppl.data.axes import Axis
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.infer.stochastic.draws import values_of
from ppl.language.errors import DataError, ModelError, UsageError, nearest
from ppl.model.gathered import may_have_gaps
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.settle import settle
from ppl.model.terms import ancestors, inputs
from ppl.report.record import Record
from ppl.use import vectors
from ppl.use.again import count_of, names_of
from ppl.use.reopened import Reopened, join, reopen
from ppl.use.row_weights import row_weights, shares
from ppl.values import dataclass

_PREDICTIONS, _LABELS = 230, 231  # streams of random numbers
_WEIGHING = 200  # draws that tell discrete latents of new rows
_AT_ONCE = 4_000_000  # numbers drawn together
_MOST = 250_000_000  # numbers of all predictions
_MOST_LISTED = 5
Of = Callable[[Piece, Mapping[str, np.ndarray], int], np.ndarray]
_KINDS: Mapping[str, Of] = {"mean": means, "probabilities": probabilities}


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """`draws` (S, rows, *axes) of one observed name at the new rows, or of its mean; categories count from 1. Of their
    probabilities there is an axis more, the last.

    `levels` are what the categories are called, where the name is one of categories, or where these are `shares`.
    """

    name: str
    draws: np.ndarray
    axes: tuple[Axis, ...]
    levels: tuple[str, ...] | None
    shares: bool = False  # whether draws are those of the probabilities of the levels


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be predicted: `of` these names (all observed, where None), as "response", as "mean", or, of those with
    categories or of 0 and 1, as "probabilities" of each.
    """

    of: tuple[str, ...] | None = None
    kind: str = "response"
    sample_levels: bool = False
    seed: int = 1


def predict(record: Record, data: Dataset, new: Dataset, wish: Wish) -> tuple[Prediction, ...]:
    """`data` are those of the fit. Raises `UsageError` for what cannot be predicted, `DataError` for new data that lack
    what the prediction needs.
    """
    if wish.kind not in ("response", *_KINDS):
        raise UsageError(f'kind: "response", "mean" or "probabilities", not {wish.kind!r}')
    if not record.observed:
        raise UsageError("no name is observed in this fit: there is nothing to predict")
    targets = _targets(record, wish.of)
    random = set(names_of(record).random) & data.columns.keys()
    columns = [name for name in targets if name in data.columns]
    outcomes = {*columns, *(name for name in random if name not in new.columns)}
    base = with_rows(data, columns or [name for name in random if name in record.observed])
    outcomes = {name for name in outcomes if _over_rows(base, name)}
    fixed = [name for name in columns if name not in outcomes]
    if fixed:
        raise UsageError(f"`{fixed[0]}` does not vary over the rows of the data: there is nothing new to predict")
    before = settle(names_of(record), data)
    gaps = may_have_gaps(names_of(record), data)
    together = {name for name in outcomes if vectors.is_one(before, name)}
    known_new = replace(new, columns={key: column for key, column in new.columns.items() if key not in together})
    joined = append(base, known_new, outcomes - together, random | gaps, _row_counts(record, base, outcomes))
    model = _settled(record, joined, new)
    assert joined.fitted is not None and joined.rows is not None
    known = {name: Known(q.axes, q.draws) for name, q in record.quantities.items() if q.role != "derived"}
    try:
        needed = in_order(model, _random_parents(model, targets, joined.columns))
        changed = {one.name for one in needed if places_of(one, known.get(one.name)) is not None}
        if not wish.sample_levels:
            _check_levels(needed, known, new)
        _check_columns(model, joined, targets, outcomes, changed, new)
        vectors.check(before, model, needed, known, together)
        again = _encoder(record, data, new, targets, wish.seed)
        return _drawn(model, joined, needed, known, targets, count_of(record), wish, again)
    except CannotExtend as error:
        raise UsageError(f"new rows cannot be predicted: {error.why}") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """The encoder at the new rows, with log probabilities (count, values) of their discrete latents."""

    again: Reopened
    log_shares: np.ndarray

    def put_in(
        self, values: dict[str, np.ndarray], needed: Sequence[Latent], joined: Dataset, rng: np.random.Generator
    ) -> None:  # fmt: skip
        """Draws of the latents of the new rows, in place of those from their priors; `joined` are the data that
        `needed` latents go by.
        """
        draws = len(next(iter(values.values())))
        again, found = self.again, self.again.values
        numbers = again.numbers(draws, rng) if found is None else values_of(self.log_shares, draws, rng)
        rows = again.coordinates(numbers, rng)
        for latent in needed:
            if latent.name in again.local:
                values[latent.name] = again.put_in(latent.name, values[latent.name], rows)
            elif found is not None and latent.name in found.latents:
                own = again.value_at(latent.name, numbers)
                column = joined.columns.get(latent.name)
                if column is not None and column.missing is not None:  # a latent of its missing cells alone
                    own = own[:, np.asarray(column.missing)[joined.fitted :]]
                old = values[latent.name]
                values[latent.name] = np.concatenate([old[:, : old.shape[1] - own.shape[1]], own], axis=1)

    def probabilities(self, name: str, draws: int) -> np.ndarray | None:
        """The shares of a discrete latent's values (S, count, values), the same in every draw; None of other names."""
        found = {own: shares for own, _, shares in self.again.probabilities(np.exp(self.log_shares))}
        return np.broadcast_to(found[name], (draws, *found[name].shape)) if name in found else None


def _encoder(
    record: Record, data: Dataset, new: Dataset, targets: Sequence[str], seed: int
) -> _Encoded | None:  # fmt: skip
    """None without an encoder, and where the new rows do not hold what it reads: latents then come from their priors.

    Labels that are to be predicted are not looked at.
    """
    if record.deep is None or not record.deep.amortise:
        return None
    hidden = set(targets) & set(record.deep.labels)
    new = replace(new, columns={name: column for name, column in new.columns.items() if name not in hidden})
    try:
        again = reopen(record, join(record, data, new), new)
    except DataError:
        return None
    if again.values is None:
        return _Encoded(again, again.log_q)
    weights = row_weights(record, again.joined, again)
    found = shares(weights, _WEIGHING, generator(seed, _LABELS))
    with np.errstate(divide="ignore"):
        return _Encoded(again, np.log(found))


def _targets(record: Record, of: tuple[str, ...] | None) -> tuple[str, ...]:
    if of is None:
        return tuple(record.observed)
    for name in of:
        if name not in record.observed:
            close = nearest(name, record.observed)
            hint = f"; did you mean `{close}`?" if close else ""
            shown = ", ".join(f"`{key}`" for key in record.observed)
            raise UsageError(f"`{name}` is not observed in this fit, which observes {shown}{hint}")
    return tuple(dict.fromkeys(of))


def _row_counts(record: Record, data: Dataset, outcomes: set[str]) -> set[str]:
    """Single numbers that say how many rows there are: in the bracket of what is observed, or in its loops."""
    assert data.rows is not None
    names = names_of(record)
    used = {name for outcome in outcomes for line in names.lines_of(outcome) for name in line.shape_uses}
    held = {name: data.columns[name] for name in used & data.columns.keys()}
    return {name for name, c in held.items() if not c.axes and c.levels is None and c.values == data.rows.length}


def _over_rows(data: Dataset, name: str) -> bool:
    axes = data.columns[name].axes
    return bool(axes) and data.rows is not None and axes[0].identity == data.rows.identity


def _settled(record: Record, joined: Dataset, new: Dataset) -> Model:
    try:
        return settle(names_of(record), joined)
    except ModelError as error:
        assert joined.fitted is not None
        told = f"{', '.join(new.sources)}: these rows, counted on from {joined.fitted + 1:,}, do not fit the model"
        raise DataError(f"{told}\n{error}") from None


def _factor(model: Model, name: str) -> Factor:
    return next(factor for factor in model.factors if factor.name == name)


def _random_parents(model: Model, targets: Sequence[str], columns: Collection[str]) -> set[str]:
    """The random names that the targets are, or depend on where they are expressions, and no `columns`."""
    names = {latent.name for latent in random_names(model)}
    found = {name for name in targets if name in names and name in columns}
    for name in targets:
        if name not in found:
            distribution = _factor(model, name).distribution
            assert distribution is not None
            found |= set(inputs(distribution.all_terms))
    return found


def _check_columns(
    model: Model, joined: Dataset, targets: Sequence[str], outcomes: set[str], changed: set[str], new: Dataset
) -> None:
    """Raises `DataError` where the new data lack a column that the targets depend on."""
    waiting, seen, lacking = list(targets), set(targets), []
    while waiting:
        name = waiting.pop()
        for parent in sorted(model.graph.predecessors(name)):
            if parent in seen or (name not in joined.columns and _only_on_the_left(model, name, parent)):
                continue
            seen.add(parent)
            role = model.graph.nodes[parent]["role"]
            if parent in joined.absent:
                lacking.append(parent)
            elif role == "derived" or parent in changed or parent in outcomes:
                waiting.append(parent)
    if lacking:
        shown = ", ".join(f"`{name}`" for name in sorted(lacking))
        what = "column" if len(lacking) == 1 else "columns"
        raise DataError(f"{', '.join(new.sources)}: the prediction needs the {what} {shown}")


def _only_on_the_left(model: Model, target: str, name: str) -> bool:
    """Whether an observed expression is made of a name that its distribution does not read."""
    if model.graph.nodes[target]["role"] != "observed":
        return False
    said = model.source.cut(_factor(model, target).span)
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return len(word.findall(said)) == len(word.findall(target))


def _check_levels(needed: Sequence[Latent], known: dict[str, Known], new: Dataset) -> None:
    """Raises `DataError` for levels that the fit did not see."""
    for latent in needed:
        old = known.get(latent.name)
        for axis, before in zip(latent.axes, old.axes if old is not None else (), strict=False):
            if not (axis.identity or "").startswith("levels:") or axis.labels is None or before.labels is None:
                continue
            fresh = sorted(set(axis.labels) - set(before.labels))
            if fresh:
                shown = ", ".join(f'"{label}"' for label in fresh[:_MOST_LISTED])
                more = f" and {len(fresh) - _MOST_LISTED} more" if len(fresh) > _MOST_LISTED else ""
                raise DataError(
                    f"{', '.join(new.sources)}: `{axis.name}` has levels that the fit has not seen: {shown}{more};"
                    f" `--new-levels sample` draws `{latent.name}` for them from its prior"
                )


def _drawn(
    model: Model, joined: Dataset, needed: Sequence[Latent], known: dict[str, Known], targets: Sequence[str],
    draws: int, wish: Wish, again: _Encoded | None,
) -> tuple[Prediction, ...]:  # fmt: skip
    assert joined.fitted is not None and joined.rows is not None
    count = joined.rows.length - joined.fitted
    behind = ancestors([term for latent in needed for piece in latent.pieces for term in piece.distribution.all_terms])
    widest = max([joined.rows.length, *(int(np.prod(latent.shape)) for latent in needed)])
    widest = max([widest, *(int(np.prod(term.shape)) for term in behind if not term.known)])
    if draws * count * len(targets) > _MOST:
        raise UsageError(f"{draws:,} draws for {count:,} rows do not fit into memory: predict fewer rows at once")
    step = max(1, _AT_ONCE // widest)
    rng = generator(wish.seed, _PREDICTIONS)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in targets}
    for first in range(0, draws, step):
        size = min(step, draws - first)
        values: dict[str, np.ndarray] = {}
        for latent in needed:
            old = known.get(latent.name)
            own = None if old is None else replace(old, draws=old.draws[first : first + size])
            values[latent.name] = extended(latent, own, values, size, rng)
        if again is not None and needed:
            again.put_in(values, needed, joined, rng)
        for name in targets:
            shares_of = again.probabilities(name, size) if again is not None and wish.kind == "probabilities" else None
            own_rows = _at_new_rows(model, joined, name, values, size, count, wish.kind, rng)
            parts[name].append(own_rows if shares_of is None else shares_of)
    found = {name: np.concatenate(parts[name]) for name in targets}
    for name, drawn in found.items():
        _check_numbers(name, drawn)
    return tuple(_named(model, joined, name, drawn, wish.kind == "probabilities") for name, drawn in found.items())


def _check_numbers(name: str, drawn: np.ndarray) -> None:
    """Raises `CannotExtend` where a row has no value in any draw: parameters outside of what the family allows."""
    nowhere = np.isnan(drawn).all(axis=0).reshape(drawn.shape[1], -1).any(axis=1)
    if nowhere.any():
        shown = ", ".join(str(i + 1) for i in np.flatnonzero(nowhere)[:_MOST_LISTED])
        more = f" and {nowhere.sum() - _MOST_LISTED} more" if nowhere.sum() > _MOST_LISTED else ""
        raise CannotExtend(
            f"`{name}` has no value in row {shown}{more}: the columns there give it parameters it cannot have"
        )


def _at_new_rows(
    model: Model, joined: Dataset, name: str, values: dict[str, np.ndarray], draws: int, count: int, kind: str,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draws (S, rows, *rest) of one observed name, or of its mean."""
    latents = {latent.name: latent for latent in random_names(model)}
    if name not in latents or name not in joined.columns:  # the latter: a matrix of columns, some cells empty
        factor = _factor(model, name)
        assert factor.distribution is not None and factor.value is not None
        if not factor.axes or joined.rows not in factor.axes:
            raise CannotExtend(f"`{name}` does not vary over the rows of the data")
        piece = piece_of(factor)
        if factor.distribution.event_rank and factor.axes[-1] == joined.rows:
            return vectors.given(factor, piece, values, draws, joined.fitted or 0, kind, rng)
        whole = draw(piece, values, draws, rng) if kind == "response" else _KINDS[kind](piece, values, draws)
        return np.moveaxis(whole, 1 + factor.axes.index(joined.rows), 1)[:, joined.fitted :]
    latent = latents[name]
    cells = values[name] if kind == "response" else _of_pieces(_KINDS[kind], latent, values, draws)
    rest = (*joined.columns[name].values.shape[1:], *cells.shape[1 + len(latent.shape) :])
    flat = cells.reshape(draws, -1)
    return flat[:, flat.shape[1] - count * int(np.prod(rest)) :].reshape(draws, count, *rest)


def _of_pieces(of: Of, latent: Latent, values: dict[str, np.ndarray], draws: int) -> np.ndarray:
    """What a function gives of each piece, put together: (S, *shape, and further axes)."""
    found = np.zeros(0)
    for piece in latent.pieces:
        positions = latent.positions(piece)
        own = of(piece, values, draws)
        if positions is None:
            return own
        rest = (*latent.shape[1:], *own.shape[1 + len(piece.shape) :])
        found = found if found.size else np.empty((draws, latent.shape[0], *rest))
        found[:, positions] = own.reshape(draws, len(positions), *rest)
    return found


def _named(model: Model, joined: Dataset, name: str, draws: np.ndarray, shares: bool) -> Prediction:
    column = joined.columns.get(name)
    factor = next((factor for factor in model.observed if factor.name.partition("[")[0] in (name, f"`{name}`")), None)
    levels = None
    distribution = None if factor is None else factor.distribution
    if distribution is not None and distribution.family.support.kind == "category":
        held = column.levels if column is not None else None
        count = distribution.categories
        levels = held if held is not None and len(held) == count else tuple(str(i + 1) for i in range(count))
    if shares and (levels is None or len(levels) != draws.shape[-1]):
        levels = _values_of(column, draws.shape[-1])
    axes, shape = column.axes[1:] if column is not None else (), draws.shape[2 : draws.ndim - int(shares)]
    if len(shape) != len(axes):
        axes = tuple(Axis(str(length), length) for length in shape)
    return Prediction(name, draws, axes, levels, shares)


def _values_of(column: Column | None, count: int) -> tuple[str, ...]:
    """What the values of a discrete name are called, that has no categories: its levels, or 0 and 1."""
    if column is not None and column.levels is not None and len(column.levels) == count:
        return column.levels
    return tuple(str(i + (count > 2)) for i in range(count))
