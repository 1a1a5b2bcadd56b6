"""model, log joint, what is asked for -> the plan of a stochastic fit, and what its encoder reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ppl.compile import row_inputs
from ppl.compile.batch import batch_of
from ppl.compile.blocks import Block
from ppl.compile.by_value import Expanded, expanded
from ppl.compile.joint import LogJoint
from ppl.compile.row_inputs import Layout
from ppl.compile.rowwise import Rowwise, longest_axis, rowwise
from ppl.data.axes import Axis
from ppl.infer.draws import generator
from ppl.infer.stochastic.encoder import Encoder
from ppl.infer.stochastic.plan import Local, Plan, Prior, normal_prior, size_of, starts_of
from ppl.infer.stochastic.table import NAMED
from ppl.infer.stochastic.wish import Wish
from ppl.language.errors import UsageError, nearest
from ppl.model.graph import Latent, Model
from ppl.model.program import compile_terms
from ppl.model.terms import inputs
from ppl.rewrite.by_value import of_any_value
from ppl.rewrite.relax import Relaxed

_ROWS = 128  # of a batch, unless something else is asked for
_FEW = 2 * _ROWS  # rows that are taken all at once
_HELD_OUT, _LEAST_ROWS, _MOST_HELD_OUT = 0.05, 500, 1000  # share of the rows, of how many, and of them at most
_HOLDING = 51  # a stream of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A plan; `layout` and `features` (N, width) are what the encoder reads; `labels` the discrete latents of rows that
    it gives too.
    """

    plan: Plan
    wish: Wish
    layout: Layout | None
    features: np.ndarray
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Of data of so many `rows` a model has few, the first `drawn` of which were drawn at random."""

    rows: int
    drawn: int


def build(
    model: Model, joint: LogJoint, wish: Wish, seed: int = 1, sample: Sample | None = None,
    layout: Layout | None = None, relaxed: Relaxed | None = None,
) -> Built:  # fmt: skip
    """The seed decides which rows are held out; a `layout` says how an encoder reads a row, worked out before. What is
    `relaxed` is no more in model and joint.

    Raises `UsageError` for what cannot be amortised, and for more rows in a batch than there are.
    """
    split, more = _split(model, joint, wish)
    joint = joint if split is None else split.joint
    if split is None and wish.batch_size is not None:
        raise UsageError(
            "batch-size: nothing observed in this model goes by rows that are independent given the latents"
        )
    amortised = [block for block in joint.blocks if block.name in wish.amortise]
    local, per_row = _locals(amortised, split)
    labels = more.found.latents if local and more is not None else ()
    encoder, features = None, np.zeros((split.axis.length if split else 1, 0))
    label_weight = 0.0
    if local:
        assert split is not None
        layout, features, numbers_a_row = _read(model, split, wish.amortise, labels, layout)
        encoder = Encoder(layout.width, wish.hidden, per_row, wish.activation)
        if more is not None:
            features = np.concatenate([features, more.found.codes, more.found.counts], axis=1)
            encoder = replace(encoder, values=len(more.found.values))
            label_weight = numbers_a_row if wish.label_weight is None else wish.label_weight
    if wish.label_weight is not None and not labels:
        raise UsageError("label-weight: no rows with an encoder have a discrete latent")
    shared = [block for block in joint.blocks if block.start not in local]
    points = [block for block in shared if block.latent.is_point or wish.guide == "point"]
    others = [block for block in shared if block not in points]
    priors = _priors(joint, [*others, *(one.block for one in local.values())], split, more)
    closed = [block for block in others if wish.guide == "meanfield" and block.start in priors]
    opened = [block for block in others if block not in closed]
    drawn = {block.name for block in closed if not split or block.name not in split.local}
    rows = 1 if split is None else split.axis.length
    of = sample or Sample(rows, rows)
    held_out = _held_out(of, wish, more is not None, seed)
    batch = None if split is None else batch_of(split, _batch_size(of, wish, len(held_out)), drawn)
    whole = tuple(range(len(joint.parts))) if split is None else split.others
    kept = {start: prior for start, prior in priors.items() if start in local or start in {b.start for b in closed}}
    program = compile_terms(joint.parts[i].log_prob for i in whole)
    guide = NAMED["meanfield" if wish.guide == "point" else wish.guide](sum(size_of(block) for block in opened))
    first, second, third = starts_of(closed), starts_of(opened), starts_of(points)
    numbers = {} if more is None else more.numbers
    plan = Plan(
        joint, batch, whole, program, first, second, third, local, kept, guide, encoder, held_out, numbers, label_weight
    )
    if relaxed is not None:
        _check_relaxed(relaxed, wish, split)
        plan = replace(plan, soft=relaxed.latents, temperature=relaxed.temperature)
    if sample is not None:
        plan = replace(plan, streamed=sample.rows, drawn=sample.drawn)
    return Built(plan, wish, layout, features, labels)


def _check_relaxed(relaxed: Relaxed, wish: Wish, split: Rowwise | None) -> None:
    for latent in relaxed.latents:
        own = split is not None and any(axis.identity == split.axis.identity for axis in latent.axes if axis.identity)
        if wish.amortise and own:
            raise UsageError(
                f"relax: `{latent.name}` goes by the rows, and an encoder gives discrete latents of these too: leave it"
                " out of relax"
            )


def _priors(
    joint: LogJoint, blocks: Collection[Block], split: Rowwise | None, more: Expanded | None
) -> dict[int, Prior]:  # fmt: skip
    identity = None if split is None else split.axis.identity
    found = {}
    for block in blocks:
        if more is not None and set(more.found.latents) & set(inputs(block.piece.distribution.parameters)):
            continue
        parts = () if more is None else more.priors.get(block.name, ())
        found[block.start] = normal_prior(joint, block, identity, parts)
    return {start: prior for start, prior in found.items() if prior is not None}


def _split(model: Model, joint: LogJoint, wish: Wish) -> tuple[Rowwise | None, Expanded | None]:
    """The split, and where its joint has parts for each value of discrete latents of rows, what these are."""
    if not wish.amortise:
        return _by_rows(model, joint, longest_axis(joint.parts) or _longest(model), ())
    latents = [_latent(model, name) for name in wish.amortise]
    tried = [axis for axis in latents[0].axes if axis.identity is not None]
    for axis in tried:
        split, more = _by_rows(model, joint, axis, wish.amortise)
        if split is not None and all(latent.name in split.local for latent in latents):
            _check_apart(split, wish.amortise)
            return split, more
    name = latents[0].name
    if not tried:
        raise UsageError(
            f"amortise: `{name}` is shared by all rows, and an encoder gives what each row has of its own; "
            f"a latent of each row is declared `{name}[rows]`"
        )
    raise UsageError(
        f"amortise: what is observed does not go by the elements of `{', '.join(wish.amortise)}` one by one, "
        "so there is nothing that an encoder could read for each of them"
    )


def _latent(model: Model, name: str) -> Latent:
    known = {latent.name: latent for latent in model.latents}
    if name in known:
        if known[name].is_point:
            raise UsageError(f"amortise: `{name}` is a Param, a point without a posterior")
        return known[name]
    if name in {latent.name for latent in model.discrete}:
        raise UsageError(f"amortise: `{name}` is discrete, and summed out exactly")
    if name in {latent.name for latent in model.simulated}:
        raise UsageError(f"amortise: nothing observed depends on `{name}`: there is nothing to encode")
    close = nearest(name, known)
    hint = f"; did you mean `{close}`?" if close else f"; the latents are {', '.join(known)}"
    raise UsageError(f"amortise: `{name}` is no latent of this model{hint}")


def _by_rows(
    model: Model, joint: LogJoint, axis: Axis | None, encoded: Collection[str]
) -> tuple[Rowwise | None, Expanded | None]:
    if axis is None:
        return None, None
    more = expanded(model, joint, axis, encoded)
    split = None if more is None else rowwise(more.joint, axis)
    if more is not None and split is not None and set(more.numbers) <= set(split.parts):
        return split, more
    return rowwise(joint, axis), None


def _longest(model: Model) -> Axis | None:
    """The longest axis of what is observed, discrete latents or not."""
    axes = [axis for factor in model.observed for axis in factor.axes if axis.identity is not None]
    return max(axes, key=lambda axis: axis.length, default=None)


def _check_apart(split: Rowwise, names: Collection[str]) -> None:
    joint = split.joint
    for i in split.others:
        mixed = sorted(set(names) & {of_any_value(name) for name in inputs([joint.parts[i].log_prob])})
        if mixed:
            raise UsageError(
                f"amortise: `{joint.parts[i].name}` depends on `{mixed[0]}` in more than one row at once, "
                "and an encoder reads one row at a time"
            )


def _locals(blocks: Collection[Block], split: Rowwise | None) -> tuple[dict[int, Local], int]:
    found: dict[int, Local] = {}
    at = 0
    for block in blocks:
        assert split is not None
        if len(block.latent.pieces) > 1 or block.piece.place is not None or block.shape[:1] == ():
            raise UsageError(
                f"amortise: `{block.name}` has several statements, or a loop; declare it `{block.name}[...]`"
            )
        place = split.local[block.name]
        rest = tuple(n for i, n in enumerate(block.shape) if i != place)
        if block.bounds is not None and any(split.axis in (*t.plates, *t.axes) for t in block.needs):
            raise UsageError(f"amortise: the bounds of `{block.name}` differ by row, which an encoder cannot follow")
        size = int(np.prod(rest))
        found[block.start] = Local(block, at, at + size, place, rest)
        at += size
    return found, at


def _read(
    model: Model, split: Rowwise, names: Collection[str], labels: Collection[str], layout: Layout | None
) -> tuple[Layout, np.ndarray, float]:
    """How rows are read, what the encoder gets of them, and how many numbers are observed of a row."""
    factors = row_inputs.observed_of(model, names, split.axis, labels)
    try:
        layout = layout or row_inputs.layout(factors, split.axis)
    except row_inputs.TooWide:
        raise UsageError("amortise: a row has too many columns for an encoder") from None
    if not layout.width:
        raise UsageError(f"amortise: nothing that varies is observed of the rows of `{', '.join(names)}`")
    observed = sum(int(np.prod(factor.value.shape)) for factor in factors if factor.value is not None)
    features = np.ascontiguousarray(row_inputs.rows_of(factors, split.axis, layout))
    return layout, features, observed / split.axis.length


def _held_out(of: Sample, wish: Wish, labels: bool, seed: int) -> np.ndarray:
    """Rows, in order. Unless it is asked for, none of few rows, nor where labels of some are known."""
    if not wish.amortise:
        return np.zeros(0, dtype=np.int64)
    share = wish.validation
    if share is None:
        share = _HELD_OUT if of.rows >= _LEAST_ROWS and not labels else 0.0
    count = min(round(share * of.rows), _MOST_HELD_OUT)
    return np.sort(generator(seed, _HOLDING).permutation(of.drawn)[:count])


def _batch_size(of: Sample, wish: Wish, held_out: int) -> int:
    rows = of.drawn - held_out
    if wish.batch_size is None:
        return rows if rows <= _FEW else _ROWS
    if wish.batch_size > rows:
        told = f"batch-size: {wish.batch_size:,} rows are asked for, and the data have {of.rows:,}"
        told += f", {held_out:,} held out" if held_out else ""
        raise UsageError(told + (f"; of a stream at most {rows:,}" if of.drawn < of.rows else ""))
    return wish.batch_size
