"""plan, phi, noise, rows of the data -> the negative ELBO of all data, estimated without bias from these rows.

The parts of the log joint that are elementwise over the rows, and the KL terms of latents that the encoder gives, are
weighed by N/M (Kingma and Welling 2014); the rest counts once. KL terms between Normals are in closed form; elsewhere
log q is taken through the draws alone (Roeder, Wu, Duvenaud 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.blocks import Block
from ppl.compile.local_products import MEAN, NOISE, SD
from ppl.infer.stochastic import kl
from ppl.infer.stochastic.gaussians import HALF_LOG_TWO_PI
from ppl.infer.stochastic.guide import WithDensity
from ppl.infer.stochastic.plan import Plan, size_of
from ppl.model import transforms
from ppl.numeric.chosen import held
from ppl.numeric.gather import pick
from ppl.numeric.reduce import logsumexp
from ppl.numeric.shape import stack


@dataclass(slots=True, eq=False)
class Drawn:
    """One estimate under way. `values` are constrained latents, the encoded ones at the rows of the batch alone.

    `shared`, `by_row` and `other` collect the KL terms, in nats and with a leading axis of draws: those of shared
    coordinates, each (S,); those of encoded ones, elementwise (S, M, coordinates of a row), by block; and what is known
    of these by row alone (S, M).
    """

    values: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)  # what stands for matrices of products that are drawn
    shared: list[Any] = field(default_factory=list)
    by_row: dict[int, Any] = field(default_factory=dict)
    other: list[Any] = field(default_factory=list)
    done: set[int] = field(default_factory=set)  # parts of the joint whose KL term is in closed form


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """What an estimate draws: `closed` (S, Dc), `opened` (S, E) for the guide, `rows` (S, M, coordinates of a row), and
    for each product whose results are drawn (S, M, ...).
    """

    closed: Any
    opened: Any
    rows: Any
    products: tuple[Any, ...] = ()


def noise(plan: Plan, rng: numpy.random.Generator, draws: int, dtype: Any = numpy.float64) -> Noise:
    shared = shared_noise(plan, rng, draws, dtype)
    rows = 0 if plan.batch is None or plan.encoder is None else plan.batch.count
    per_row = 0 if plan.encoder is None else plan.encoder.outputs
    own = rng.standard_normal((draws, rows, per_row), dtype)
    shapes = () if plan.batch is None else tuple(plan.batch.products.values())
    products = tuple(rng.standard_normal((draws, *shape), dtype) for shape in shapes)
    return Noise(shared.closed, shared.opened, own, products)


def shared_noise(plan: Plan, rng: numpy.random.Generator, draws: int, dtype: Any = numpy.float64) -> Noise:
    """That of shared coordinates alone."""
    closed = rng.standard_normal((draws, plan.sizes()[0] // 2), dtype)
    opened = plan.guide.noise(rng, draws) if plan.guide.dimension else numpy.zeros((draws, 0))
    return Noise(closed, opened, numpy.zeros((draws, 0, 0)))


def negative_elbo(plan: Plan, phi: Any, eps: Noise, anneal: Any, rows: Any, features: Any, given: Sequence[Any]) -> Any:
    """(1,), in nats; `anneal` (1,) is the weight of the KL terms, `rows` (M,) positions as real numbers."""
    made = drawn(plan, phi, eps, features)
    weight = 1.0 if plan.batch is None else plan.seen / plan.batch.count
    rest, prior_of_rest = _rest(plan, made)
    likelihood, prior = _by_rows(plan, made, rows, given)
    divergence = sum(made.shared, prior_of_rest) + weight * prior
    for term in (*made.by_row.values(), *made.other):
        divergence = divergence + weight * _each(term)
    total = anneal * divergence - rest - weight * likelihood
    draws = len(eps.closed)
    return np.reshape(np.sum(total + np.zeros(draws)) / draws, (1,))


def drawn(plan: Plan, phi: Any, eps: Noise, features: Any, closed_form: bool = True) -> Drawn:
    """Draws of all latents, with the KL terms that can be had from guides and Jacobians; without `closed_form` those of
    rows at the draws themselves.
    """
    found = Drawn()
    closed, opened, points, weights = plan.cut(phi)
    half = plan.sizes()[0] // 2
    mu, log_sd = (pick(closed, (slice(start, start + half),)) for start in (0, half))
    sd = np.exp(log_sd)
    z_closed = mu + sd * eps.closed
    z_open = None
    if plan.guide.dimension:
        z_open, log_q = plan.guide.draw(opened, eps.opened)
        if isinstance(plan.guide, WithDensity):
            log_q = plan.guide.log_prob(held(opened), z_open)
        found.shared.append(log_q)
    encoded = None
    if plan.encoder is not None:
        mean, log_sd_of_rows = plan.encoder(weights, features)
        encoded = (mean, log_sd_of_rows, np.exp(log_sd_of_rows))
        z_rows = encoded[0] + encoded[2] * eps.rows
    parts: dict[str, list[Any]] = {}
    for block in plan.joint.blocks:
        if block.start in plan.local:
            theta = _of_rows(plan, block, found, encoded, z_rows, closed_form)
        elif block.start in plan.closed:
            own = slice(plan.closed[block.start], plan.closed[block.start] + size_of(block))
            theta = _shaped(z_closed, own, block)
            prior = plan.priors[block.start]
            location, scale = prior.at(found.values)
            own_mu, own_sd, own_log_sd = (np.reshape(pick(x, (own,)), (1, *block.shape)) for x in (mu, sd, log_sd))
            found.shared.append(_each(kl.normals(own_mu, own_sd, own_log_sd, location, scale)))
            found.done.add(prior.part)
            if plan.batch is not None and block.name in plan.batch.products:
                noise_of_rows = eps.products[list(plan.batch.products).index(block.name)]
                for word, value in ((MEAN, own_mu), (SD, own_sd), (NOISE, noise_of_rows)):
                    found.inputs[word.format(block.name)] = value
        else:
            part = _of_points(points, plan, block) if block.start in plan.points else _opened(z_open, plan, block)
            lower, upper = block.bounds_at(found.values)
            theta = block.transform.constrain(part, lower, upper)
            if block.transform is not transforms.IDENTITY and not block.latent.is_point:
                found.shared.append(-_each(block.transform.log_jacobian(part, lower, upper)))
        pieces = parts.setdefault(block.name, [])
        pieces.append(theta)
        if len(pieces) == len(block.latent.pieces):
            assembly = plan.joint.assemblies.get(block.name)
            found.values[block.name] = theta if assembly is None or block.start in plan.local else assembly(pieces)
    return found


def _of_rows(plan: Plan, block: Block, found: Drawn, encoded: Any, z_rows: Any, closed_form: bool) -> Any:
    """A block that the encoder gives, at the rows of the batch, and its KL term, or log q where there is none."""
    local = plan.local[block.start]
    part = local.shaped(z_rows)
    own = (slice(None), slice(local.start, local.stop))
    mean, log_sd, sd = (np.reshape(pick(x, own), (1, -1, local.stop - local.start)) for x in encoded)
    prior = plan.priors.get(block.start)
    if prior is not None and closed_form:
        location, scale = (_beside_rows(x, local, part) for x in prior.at(found.values))
        found.by_row[block.start] = kl.normals(mean, sd, log_sd, location, scale)
        found.done.add(prior.part)
        return part
    z = pick(z_rows, (slice(None), slice(None), slice(local.start, local.stop)))
    away = (z - held(mean)) / np.exp(held(log_sd))
    found.by_row[block.start] = -0.5 * away * away - held(log_sd) - HALF_LOG_TWO_PI
    lower, upper = block.bounds_at(found.values)
    if block.transform is not transforms.IDENTITY:
        log_jacobian = block.transform.log_jacobian(part, lower, upper)
        found.other.append(-by_row(log_jacobian, local.place, True))
    return block.transform.constrain(part, lower, upper)


def _beside_rows(x: Any, local: Any, part: Any) -> Any:
    """Location or scale of a block's prior, which lacks the rows, as (S, M, coordinates of a row)."""
    return local.by_row(x + np.zeros((1, *np.shape(part)[1:])))


def _shaped(z: Any, own: slice, block: Block) -> Any:
    return np.reshape(pick(z, (slice(None), own)), (len(z), *block.shape))


def _opened(z: Any, plan: Plan, block: Block) -> Any:
    start = plan.open[block.start]
    return _shaped(z, slice(start, start + size_of(block)), block)


def _of_points(points: Any, plan: Plan, block: Block) -> Any:
    """(1, *shape)."""
    start = plan.points[block.start]
    return np.reshape(pick(points, (slice(start, start + size_of(block)),)), (1, *block.shape))


def _each(terms: Any) -> Any:
    """The sum of each draw's (S,)."""
    rank = np.ndim(terms)
    return terms if rank == 1 else np.sum(terms, axis=tuple(range(1, rank)))


def by_row(term: Any, place: int, over_draws: bool) -> Any:
    """Sums over all axes but that of draws, put in front where it is lacking, and that of the rows: (S, M)."""
    term = term if over_draws else np.reshape(term, (1, *np.shape(term)))
    axes = tuple(i for i in range(1, np.ndim(term)) if i != 1 + place)
    return np.sum(term, axis=axes) if axes else term


def _rest(plan: Plan, made: Drawn) -> tuple[Any, Any]:
    """What does not go by rows: the log density of data (S,), and minus that of latents whose KL term is still open."""
    likelihood: Any = 0.0
    prior: Any = 0.0
    for part, term in plan.rest(made.values, made.done):
        if is_likelihood(plan, part):
            likelihood = likelihood + term
        else:
            prior = prior - term
    return likelihood, prior


def _by_rows(plan: Plan, made: Drawn, rows: Any, given: Sequence[Any]) -> tuple[Any, Any]:
    """The same of what goes by rows, for those of the batch."""
    likelihood: Any = 0.0
    prior: Any = 0.0
    for term in rowwise_terms(plan, made, rows, given):
        if term.likelihood:
            likelihood = likelihood + term.total()
        else:
            prior = prior - term.total()
    return likelihood, prior


def is_likelihood(plan: Plan, place: int) -> bool:
    part = plan.joint.parts[place]
    return part.observed or part.distribution is None


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Log densities of a part at the rows of a batch: an axis of draws, where `over_draws`, then axes of its own, of
    which `at` is that of the rows. `place` is that of the part in the joint, -1 for a sum over discrete latents.
    """

    place: int
    likelihood: bool
    log_probs: Any
    over_draws: bool
    at: int

    def by_row(self) -> Any:
        """(S, M)."""
        return by_row(self.log_probs, self.at, self.over_draws)

    def total(self) -> Any:
        """(S,), or one number."""
        return _each(self.log_probs) if self.over_draws else np.sum(self.log_probs)


def rowwise_terms(plan: Plan, made: Drawn, rows: Any, given: Sequence[Any]) -> list[Term]:
    """The parts that go by rows and whose KL term is still open; discrete latents of rows are summed out."""
    if plan.batch is None:
        return []
    local = {plan.local[start].block.name for start in plan.local}
    values = {
        name: value if name in local else plan.batch.at_rows(name, value, rows) for name, value in made.values.items()
    }
    found = plan.batch.log_probs({**values, **made.inputs}, given)
    terms: list[Term] = []
    by_number: dict[int, Any] = {}
    for i, (place, term) in enumerate(zip(plan.batch.split.parts, found, strict=True)):
        over_draws = plan.batch.over_draws(i)
        if place in plan.numbers:
            number = plan.numbers[place]
            by_number[number] = by_number.get(number, 0.0) + by_row(term, plan.batch.at(i), over_draws)
        elif place not in made.done:
            terms.append(Term(place, is_likelihood(plan, place), term, over_draws, plan.batch.at(i)))
    if by_number:
        together = stack(-1, *(by_number[number] for number in sorted(by_number)))
        terms.append(Term(-1, True, logsumexp(together, -1), True, 0))
    return terms
