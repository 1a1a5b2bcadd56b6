"""One constructor per mistake in calls of the functions that make, join and multiply arrays."""

from __future__ import annotations

from ppl.data.axes import Axis
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model.mistakes import axes_words

# -- matrices ---------------------------------------------------------------------------------------------------------


def not_a_matrix(span: Span, function: str, text: str, axes: tuple[Axis, ...], wanted: str) -> Mistake:
    mend = "a matrix has two axes: `[[a, b], [c, d]]`, `columns(...)`, or a name declared with two in its bracket"
    mend = (
        mend if "matrix" in wanted else "a vector has one axis: a column, `[a, b]`, or a name declared with a bracket"
    )
    return Mistake("not-a-matrix", f"`{function}` takes {wanted}, and `{text}` has {axes_words(axes)}", span, mend)


def not_square(span: Span, function: str, text: str, axes: tuple[Axis, ...]) -> Mistake:
    message = f"`{function}` takes a square matrix, and `{text}` has {axes_words(axes[-2:])}"
    return Mistake("not-square", message, span, "rows and columns must be equally many")


def solve_lengths(
    span: Span, matrix: str, matrix_axes: tuple[Axis, ...], right: str, axes: tuple[Axis, ...]
) -> Mistake:
    message = f"`{matrix}` has {axes_words(matrix_axes[-2:])} and `{right}` has {axes_words(axes)}"
    mend = "`solve(A, b)` is the x of `A @ x == b`: b is a vector, or a matrix, with one row for each row of A"
    return Mistake("solve-lengths", message, span, mend)


def kron_ranks(span: Span, left: str, left_axes: tuple[Axis, ...], right: str, right_axes: tuple[Axis, ...]) -> Mistake:
    message = f"`{left}` has {axes_words(left_axes)} and `{right}` has {axes_words(right_axes)}"
    return Mistake("kron-ranks", message, span, "`kron` takes two matrices, or two vectors")


def unfit_matrix(span: Span, function: str, text: str, wanted: str) -> Mistake:
    mend = (
        "is a column twice in it, or the sum of others? a small number on the diagonal mends rounding: `+ 1e-9*eye(n)`"
    )
    return Mistake("unfit-matrix", f"`{function}` needs {wanted}, and `{text}` is none", span, mend, in_data=True)


# -- sizes ------------------------------------------------------------------------------------------------------------


def not_a_size(span: Span, function: str, text: str, found: str) -> Mistake:
    mend = "a size is a whole number, zero or more, that is known from the data"
    subject = "this" if found == f"is {text}" else f"`{text}`"
    return Mistake("not-a-size", f"`{function}` needs a size, and {subject} {found}", span, mend)


def not_an_end(span: Span, text: str, found: str) -> Mistake:
    mend = "`seq(a, b, n)`, with a count, may run between any two numbers, latents too"
    return Mistake("not-an-end", f"`seq` runs from one known number to another, and `{text}` {found}", span, mend)


def sequence_goes_down(span: Span, low: float, high: float) -> Mistake:
    mend = f"write `seq({low:g}, {high:g}, n)` for n numbers in even steps, whichever way"
    return Mistake("sequence-goes-down", f"`seq` counts up by 1, and {high:g} lies below {low:g}", span, mend)


def too_few_numbers(span: Span, found: int) -> Mistake:
    mend = "a sequence from one number to another has at least these two"
    return Mistake("too-few-numbers", f"`seq` of {found} cannot hold both ends", span, mend)


# -- pieces -----------------------------------------------------------------------------------------------------------


def cannot_join(span: Span, function: str, text: str, axes: tuple[Axis, ...]) -> Mistake:
    takes = {
        "concat": "numbers and vectors, or arrays that have equally many axes",
        "hcat": "matrices, vectors (as columns) and numbers",
        "vcat": "matrices, vectors (as rows) and numbers",
    }[function]
    mend = (
        "matrices are put on top of each other by `vcat` and side by side by `hcat`" if function == "concat" else None
    )
    return Mistake("cannot-join", f"`{function}` joins {takes}, and `{text}` has {axes_words(axes)}", span, mend)


def join_lengths(
    span: Span,
    function: str,
    left: tuple[str, tuple[Axis, ...]],
    right: tuple[str, tuple[Axis, ...]],
    mend: str | None,
) -> Mistake:
    both = " and ".join(f"`{text}` has {axes_words(axes)}" for text, axes in (left, right))
    rule = {
        "concat": "`concat` joins along the first axis: all others must be the same",
        "hcat": "`hcat` puts columns side by side: all must have the same rows",
        "vcat": "`vcat` puts rows on top of each other: all must have the same columns",
    }[function]
    return Mistake("join-lengths", both, span, mend or rule)


def category_not_whole(span: Span, text: str) -> Mistake:
    mend = "a category that is a latent is a discrete one: `z ~ Categorical(p)`"
    return Mistake("category-not-whole", f"`onehot` takes whole numbers, and `{text}` holds others", span, mend)


def no_categories(span: Span, text: str) -> Mistake:
    mend = f"give the number of categories, `onehot({text}, K)`, or a column of text or whole numbers"
    return Mistake("no-categories", f"`{text}` is no column with levels", span, mend)


def not_a_category(span: Span, text: str, value: str, count: int, where: str | None) -> Mistake:
    mend = None if where is None else f"the value stands at {where}"
    message = f"`onehot` gives columns 1 to {count}, and `{text}` holds {value}"
    return Mistake("not-a-category", message, span, mend, where is not None)


# -- kernels and bases ------------------------------------------------------------------------------------------------


def not_points(span: Span, function: str, text: str, axes: tuple[Axis, ...]) -> Mistake:
    mend = "points are a vector, or a matrix with one row a point"
    return Mistake("not-points", f"`{function}` takes points, and `{text}` has {axes_words(axes)}", span, mend)


def points_differ(
    span: Span, function: str, left: str, left_axes: tuple[Axis, ...], right: str, right_axes: tuple[Axis, ...]
) -> Mistake:
    message = f"the points `{left}` have {axes_words(left_axes)} and the points `{right}` have {axes_words(right_axes)}"
    return Mistake("points-differ", message, span, f"`{function}` needs equally many coordinates of both")


def not_one_number(span: Span, function: str, role: str, text: str, axes: tuple[Axis, ...]) -> Mistake:
    mend = "pick an element, `a[1]`; a process for each group is written in a loop, `for g in 1..G { ... }`"
    if role == "rho":
        mend += "\na vector of length-scales needs a matrix of points with as many columns"
    return Mistake(
        "not-one-number", f"`{role}` of `{function}` is one number, and `{text}` has {axes_words(axes)}", span, mend
    )


def basis_not_known(span: Span, function: str, text: str) -> Mistake:
    mend = "its columns are worked out once, from the data; a smooth function of a latent is `exp_quad(...)`, a process"
    return Mistake("basis-not-known", f"`{function}` needs data, and `{text}` depends on a latent", span, mend)


def basis_in_loop(span: Span, function: str, text: str) -> Mistake:
    mend = f"write it on a line of its own, `B = {function}(...)`, and `B[i, :]` in the loop"
    return Mistake("basis-in-loop", f"`{function}` needs all of `{text}` at once", span, mend)


def too_few_values(span: Span, function: str, needed: int, text: str, found: int) -> Mistake:
    message = f"`{function}` needs {needed} different values here, and `{text}` has {found}"
    return Mistake("too-few-values", message, span, "choose fewer columns", in_data=True)


def bad_degree(span: Span, function: str, found: str, most: int) -> Mistake:
    message = f"the degree of `{function}` is a whole number from 1 to {most}, and this is {found}"
    return Mistake("bad-degree", message, span)


def bad_df(span: Span, found: str, degree: int) -> Mistake:
    mend = "a few knots are given as a list, `bspline(x, [0.3, 0.7])`"
    return Mistake("bad-df", f"splines of degree {degree} have {degree} columns or more, not {found}", span, mend)


def knot_outside(span: Span, knot: float, low: float, high: float) -> Mistake:
    mend = "give the inner knots alone: the ends of the data are knots anyway"
    return Mistake("knot-outside", f"the knot {knot:g} does not lie between {low:g} and {high:g}", span, mend)


def all_the_same(span: Span, function: str, text: str) -> Mistake:
    message = f"`{function}` divides by the sd, and `{text}` is the same everywhere"
    return Mistake("all-the-same", message, span, "leave it out of the model, or use `center`", in_data=True)
