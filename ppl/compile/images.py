"""log densities, a latent -> its image: the terms, affine in the latent, through which these depend on it.

In `y ~ Poisson(log = level + cholesky(K) @ raw)` the image of `raw` is the log rate. Where something depends on the
latent itself, that is part of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.data.axes import Axis
from ppl.model import functions as fn
from ppl.model import terms as terms_of
from ppl.model import transforms
from ppl.model.dependence import TooDense, dependences, ones, size_of
from ppl.model.distributions.family import Form, canonical
from ppl.model.graph import Latent, Piece
from ppl.model.terms import Op, Term
from ppl.values import dataclass

if TYPE_CHECKING:
    from scipy import sparse

_NONE = np.zeros(0, dtype=np.int64)

AFFINE_IN = {  # which arguments an operation is affine in, where the others do not depend on the latent
    "+": (0, 1),
    "-": (0, 1),
    "neg": (0,),
    "*": (0, 1),
    "/": (0,),
    "@": (0, 1),
    "if": (1, 2),
    "outer": (0, 1),
    "kron": (0, 1),
    "solve": (1,),
    "center": (0,),
    **dict.fromkeys(("sum", "mean", "cumsum", "diff", "sum over", "mean over", "sum by", "mean by"), (0,)),
}
_PRODUCTS = ("*", "/", "@", "outer", "kron", "solve")  # these are affine in one argument at a time
_BASES = (transforms.NONCENTRED, transforms.NONCENTRED_VECTOR)
_PROBE = "!probe"  # the identity of the plate of probes: before all others
_FEW_TOGETHER = 32  # elements of a latent that the image ties together, which cost a matrix of so many rows a draw;
_MOST_TOGETHER = 150  # more where the model has such matrices itself
_MOST_NUMBERS = 200_000  # for one draw, of the largest array that the coordinates need


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Terms, R elements in all when flattened one after another, and how they tie the N elements of a latent together.

    `members` (B, K) are the elements of each of B groups that share no element of the image, -1 where a group has fewer
    than K; `owner` (R,) is the group that each element of the image depends on.
    """

    latent: Latent
    terms: tuple[Term, ...]
    members: np.ndarray
    owner: np.ndarray
    scaled: bool  # whether the image is a product of the latent and others

    @property
    def piece(self) -> Piece:
        return self.latent.pieces[0]

    @property
    def base(self) -> transforms.Transform:
        return transforms.LOCATION_SCALE[self.piece.distribution.family.name].transform

    @property
    def has_random_parents(self) -> bool:
        return bool(terms_of.inputs(self.piece.distribution.parameters))

    def location_and_scale(self) -> tuple[Term, Term]:
        """Of the latent's distribution: of a vector its mean, and the Cholesky factor of its covariance."""
        distribution = self.piece.distribution
        places = transforms.LOCATION_SCALE[distribution.family.name].places
        if distribution.form.canonical is None:
            return distribution.parameters[places[0]], distribution.parameters[places[1]]
        location, scale = (_canonical(distribution.form, distribution.parameters, place) for place in places)
        return location, scale

    def probes(
        self, location: Term, scale: Term, before: Iterable[str], typical: Mapping[str, np.ndarray]
    ) -> list[Term]:
        """The image over a plate of K + 1: where the standard values of the latent are 0, and where the first, second
        and so on of each group is 1. Latents other than those `before` are put in at `typical` values.
        """
        known, piece = set(before), self.piece
        count = self.members.shape[1] + 1
        values = np.zeros((count, size_of(piece.shape)))
        for k, members in enumerate(self.members.T):
            values[k + 1, members[members >= 0]] = 1.0
        plate = Axis("probes", count, identity=_PROBE)
        standard = terms_of.constant(values.reshape(count, *piece.shape), piece.axes, piece.span, plates=(plate,))
        vector = self.base.event_rank == 1
        product = fn.matmul(2, 1) if vector else fn.MULTIPLY
        moved = terms_of.apply(product, (scale, standard), piece.axes[-1:] if vector else (), piece.span)
        moved = terms_of.apply(fn.ADD, (location, moved), (), piece.span)

        def change(term: Term, args: tuple[Term, ...]) -> Term | None:
            if term.source == self.latent.name:
                return moved
            if term.source is None or term.source in known:
                return None
            return terms_of.constant(typical[term.source], term.axes, term.span)

        return terms_of.rebuild(self.terms, change)


def _canonical(form: Form, parameters: Sequence[Term], place: int) -> Term:
    """One of the canonical parameters as a term: where it is a parameter as it is written, that; else made of those
    parameters that it depends on.
    """
    examples = [np.ones((1,) * one.event_rank) for one in form.parameters]
    found = canonical(form, tuple(examples))[place]
    own = []
    for i, (parameter, example) in enumerate(zip(parameters, examples, strict=True)):
        if found is example:
            return parameter
        changed = canonical(form, (*examples[:i], 2.0 * example, *examples[i + 1 :]))[place]
        if not np.array_equal(changed, found):
            own.append(i)

    def apply(*given: Any) -> Any:
        by_place = dict(zip(own, given, strict=True))
        return canonical(form, tuple(by_place.get(i, example) for i, example in enumerate(examples)))[place]

    args = tuple(parameters[i] for i in own)
    ranks = tuple(min(form.parameters[i].event_rank, len(arg.axes)) for i, arg in zip(own, args, strict=True))
    matrices = [arg.axes[-2:] for arg, rank in zip(args, ranks, strict=True) if rank == 2]
    op = Op("canonical", apply, ranks, (id(form), place))
    return terms_of.apply(op, args, matrices[0] if matrices else (), args[0].span)


def image_of(latent: Latent, roots: Sequence[Term]) -> Image | None:
    """The image through which log densities, all but the latent's own, depend on a latent.

    None where the latent has no standard values, or ties too much together.
    """
    if len(latent.pieces) != 1 or latent.pieces[0].place is not None or not _is_free(latent.pieces[0]):
        return None
    frontier, scaled = _frontier(roots, latent.name)
    size = size_of(latent.shape)
    if not frontier or size == 0:
        return None
    rows = sum(size_of(term.shape) for term in frontier)
    if rows > _MOST_NUMBERS:
        return None
    try:
        pattern = _pattern(latent, frontier)
    except TooDense:
        return None
    members, owner = _groups(pattern, latent)
    together = members.shape[1]
    given = terms_of.ancestors([*roots, *latent.pieces[0].distribution.parameters])
    widest = max(size_of(term.shape) for term in given if not term.known)
    if together > (_MOST_TOGETHER if together**2 <= widest else _FEW_TOGETHER):
        return None
    if max(together * rows, _products(members, rows)) > _MOST_NUMBERS:
        return None
    return Image(latent, frontier, members, owner, scaled)


def _products(members: np.ndarray, rows: int) -> int:
    """Numbers that the products of all pairs of probes take; those of a single group are added up at once."""
    return 0 if len(members) == 1 else members.shape[1] ** 2 * rows


def _is_free(piece: Piece) -> bool:
    """Whether a piece is of a family of location and scale over all real numbers, cut nowhere."""
    distribution = piece.distribution
    known = transforms.LOCATION_SCALE.get(distribution.family.name)
    plain = distribution.lower is None and distribution.upper is None and distribution.constraint is None
    return plain and known is not None and known.transform in _BASES


def _frontier(roots: Sequence[Term], name: str) -> tuple[tuple[Term, ...], bool]:
    """The last terms that are affine in a latent; and whether what it is multiplied by depends on other latents."""
    affine: dict[int, bool] = {}  # by id, of terms that depend on the latent
    found: dict[int, Term] = {}
    scaled = False
    for term in terms_of.ancestors(roots):
        own = [i for i, arg in enumerate(term.args) if id(arg) in affine]
        if term.source == name:
            affine[id(term)] = True
        elif term.op is not None and own and not term.known:
            affine[id(term)] = all(affine[id(term.args[i])] for i in own) and _is_affine(term, own)
            if not affine[id(term)]:
                found |= {id(term.args[i]): term.args[i] for i in own if affine[id(term.args[i])]}
            elif term.op.name in _PRODUCTS:
                scaled |= any(i not in own and not arg.known for i, arg in enumerate(term.args))
    found |= {id(root): root for root in roots if affine.get(id(root), False)}
    return tuple(found.values()), scaled


def _is_affine(term: Term, own: Sequence[int]) -> bool:
    assert term.op is not None
    if term.op.moves or term.op.name == "list":
        return True
    allowed = set(own) <= set(AFFINE_IN.get(term.op.name, ()))
    return allowed and (len(own) == 1 or term.op.name not in _PRODUCTS)


def _pattern(latent: Latent, frontier: Sequence[Term]) -> sparse.csr_matrix:
    """Which elements of the latent (columns) each element of the image (rows) depends on. Raises `TooDense`."""
    from scipy import sparse

    everyone = np.arange(size_of(latent.shape))
    found = dependences(frontier, {latent.name: ones(everyone, everyone, (len(everyone), len(everyone)))})
    matrices = [found[id(term)] or ones(_NONE, _NONE, (size_of(term.shape), len(everyone))) for term in frontier]
    return sparse.vstack([matrix.sparse() for matrix in matrices]).tocsr()


def _groups(pattern: sparse.csr_matrix, latent: Latent) -> tuple[np.ndarray, np.ndarray]:
    """`members` and `owner` of an image; the elements of a vector are tied together by its covariance."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    size = pattern.shape[1]
    tied = [pattern]
    base = transforms.LOCATION_SCALE[latent.family.name].transform
    if base.event_rank:
        length = latent.shape[-1]
        ahead = np.flatnonzero(np.arange(size) % length)
        rows = np.tile(np.arange(len(ahead)), 2)
        tied.append(ones(rows, np.concatenate([ahead, ahead - 1]), (len(ahead), size)).sparse())
    incidence = sparse.vstack(tied)
    count = incidence.shape[0]
    graph = sparse.bmat([[None, incidence], [incidence.T, None]])
    _, label = connected_components(graph, directed=False)
    groups, group_of = np.unique(label[count:], return_inverse=True)
    widths = np.bincount(group_of)
    members = np.full((len(groups), int(widths.max())), -1)
    order = np.argsort(group_of, kind="stable")
    within = np.arange(size) - np.repeat(np.cumsum(widths) - widths, widths)
    members[group_of[order], within] = order
    place = np.searchsorted(groups, label[: pattern.shape[0]])
    place = np.minimum(place, len(groups) - 1)  # what depends on no element belongs to any group
    return members, place


def put_apart(image: Image, roots: Sequence[Term]) -> tuple[list[str], list[Term]]:
    """The log densities with inputs of these names for the terms of the image."""
    names = [f"{image.latent.name}'{i}" for i in range(len(image.terms))]
    inputs = {
        id(term): replace(terms_of.latent(name, term.axes, term.span), plates=term.plates)
        for name, term in zip(names, image.terms, strict=True)
    }
    return names, terms_of.rebuild(roots, lambda term, args: inputs.get(id(term)))
