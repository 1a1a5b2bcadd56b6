"""One constructor per mistake that shows when names, axes and data meet; each gives message and mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ppl.data import axes as axes_of
from ppl.data.axes import Axis
from ppl.language import foreign
from ppl.language.errors import Mistake, nearest, written
from ppl.language.source import Span

# -- names ------------------------------------------------------------------------------------------------------------


def unknown_name(span: Span, name: str, candidates: Iterable[str]) -> Mistake:
    known = list(candidates)
    close = nearest(name, known)
    if name == "rows":
        mend = "it is the length of a table's columns, and no table is given: say `data y[rows]`, or use a count"
    elif name in foreign.NAMES:
        mend = f"write {foreign.NAMES[name]}"
    elif close:
        mend = f"did you mean `{close}`?"
    elif name in foreign.LENGTHS and "rows" in known:
        mend = "the number of rows of the table is called `rows`"
    elif name in foreign.COUNTERS:
        mend = "leave the index out: a statement speaks of all rows at once"
    else:
        mend = f"give it a prior, `{name} ~ Normal(0, 1)`, define it, `{name} = ...`, or add it to the data"
    return Mistake("unknown-name", f"`{name}` is neither defined nor in the data", span, mend)


def depends_on_itself(span: Span, path: Sequence[str]) -> Mistake:
    shown = " -> ".join(path)
    mend = "define one of them without the others"
    if len(path) == 2:
        mend = "give the new value another name; what is observed may be written out, `log(y) ~ ...`"
    return Mistake("depends-on-itself", f"`{path[0]}` depends on itself: {shown}", span, mend)


def observed_is_derived(span: Span, name: str) -> Mistake:
    mend = f"write the expression itself on the left: `... ~ Family(...)`, or drop `{name} = ...`"
    return Mistake("observed-is-derived", f"`{name}` is derived from latents and cannot be random as well", span, mend)


def too_much_expansion(span: Span, name: str, most: int) -> Mistake:
    mend = "give intermediate results names of their own"
    return Mistake("too-much-expansion", f"`{name}` expands to more than {most:,} calls", span, mend)


def function_as_name(span: Span, name: str) -> Mistake:
    return Mistake("function-as-name", f"`{name}` is a function", span, f"call it: `{name}(...)`")


def bad_axis_number(span: Span, rank: int) -> Mistake:
    mend = "axes count from 1" + (f"; this array has {rank}" if rank else "")
    return Mistake("bad-axis-number", "this is not the number of an axis of the array", span, mend)


# -- axes and shapes --------------------------------------------------------------------------------------------------


def axes_do_not_align(
    span: Span, left: str, left_axes: tuple[Axis, ...], right: str, right_axes: tuple[Axis, ...], mend: str | None
) -> Mistake:
    both = f"`{left}` has {axes_words(left_axes)} and `{right}` has {axes_words(right_axes)}"
    mend = mend or "gather one of them with an index, `a[column]`, pick an element, `a[1]`, or reduce it, `sum(a)`"
    return Mistake("axes-do-not-align", f"{both}: they do not align", span, mend)


def latent_lacks_axis(
    span: Span, name: str, have: tuple[Axis, ...], needed: tuple[Axis, ...], mend: str | None
) -> Mistake:
    message = f"`{name}` has {axes_words(have)}, but its distribution has {axes_words(needed)}"
    declared = ", ".join(axis.name for axis in needed)
    mend = mend or f"declare the axis, `{name}[{declared}] ~ ...`, or reduce the argument to what `{name}` has"
    return Mistake("latent-lacks-axis", message, span, mend)


def derived_lacks_axis(span: Span, name: str, have: tuple[Axis, ...], needed: tuple[Axis, ...]) -> Mistake:
    message = f"`{name}` is declared with {axes_words(have)}, but its expression has {axes_words(needed)}"
    mend = f"leave the bracket out, `{name} = ...`: a derived name takes the axes of its expression"
    return Mistake("derived-lacks-axis", message, span, mend)


def observed_is_longer(span: Span, name: str, axis: Axis, declared: str, found: str) -> Mistake:
    message = f"`{name}` has {axes_words((axis,))}, and `{declared}` is {found}"
    return Mistake("observed-is-longer", message, span, f"what is observed needs no bracket: `{name} ~ ...`")


def already_over_rows(span: Span, name: str) -> Mistake:
    mend = f"write `{name}`, without an index"
    return Mistake("already-over-rows", f"`{name}` has one value a row already", span, mend)


def axes_words(axes: tuple[Axis, ...]) -> str:
    """Axes in a sentence: `no axis`, `an axis of 3`, `the axis school (8)`, `the axes school (8) x 3`."""
    if len(axes) == 1:
        axis = axes[0]
        return f"an axis of {axis.length}" if axis.name == str(axis.length) else f"the axis {axis}"
    return f"the axes {axes_of.show(axes)}" if axes else "no axis"


def observed_lacks_axis(
    span: Span, name: str, have: tuple[Axis, ...], needed: tuple[Axis, ...], mend: str | None
) -> Mistake:
    message = f"`{name}` has {axes_words(have)}, but its distribution has {axes_words(needed)}"
    mend = mend or f"each value of `{name}` has one distribution: index the argument, or reduce it, `sum(a)`"
    return Mistake("observed-lacks-axis", message, span, mend)


def event_lengths_differ(span: Span, family: str, parameter: str, found: tuple[Axis, ...], expected: str) -> Mistake:
    message = f"`{family}` needs {expected} as `{parameter}`, and this has {axes_words(found)}"
    return Mistake("event-lengths-differ", message, span)


def event_axis_missing(span: Span, family: str, name: str, rank: int) -> Mistake:
    if rank == 2:
        mend = f"declare its size: `{name}[K, K] ~ {family}(...)`"
        return Mistake("event-axis-missing", f"`{family}` gives matrices, and `{name}` has not two axes", span, mend)
    mend = f"declare its length: `{name}[K] ~ {family}(...)`"
    return Mistake("event-axis-missing", f"`{family}` gives vectors, and `{name}` has no axis", span, mend)


def not_square(span: Span, family: str, name: str, axes: tuple[Axis, ...]) -> Mistake:
    message = f"`{family}` gives square matrices, and `{name}` has {axes_words(axes)}"
    return Mistake("not-square", message, span, f"give its last two axes the same length, `{name}[K, K]`")


def cannot_index(span: Span, name: str, rank: int, found: int) -> Mistake:
    if rank == 0:
        mend = f"declare its axis where it is defined, `{name}[...]`, or use it without an index"
        return Mistake("cannot-index", f"`{name}` is a single number and has no elements", span, mend)
    have = "1 axis" if rank == 1 else f"{rank} axes"
    mend = "an index has one subscript an axis, or fewer"
    return Mistake("cannot-index", f"`{name}` has {have}, and is indexed with {found} subscripts", span, mend)


def index_not_known(span: Span, name: str) -> Mistake:
    mend = "an index is made of data"
    return Mistake("index-not-known", f"the index `{name}` depends on a latent", span, mend)


def index_out_of_range(span: Span, name: str, value: str, length: int, where: str | None) -> Mistake:
    place = None if where is None else f"the value stands at {where}"
    hint = "indices start at 1" if value.startswith(("0", "-")) else None
    message = f"`{name}` has elements 1 to {length}, and the index is {value}"
    return Mistake("index-out-of-range", message, span, _lines(place, hint), in_data=where is not None)


def _lines(*parts: str | None) -> str | None:
    return "\n".join(part for part in parts if part) or None


def index_not_whole(span: Span, value: str, where: str | None) -> Mistake:
    mend = None if where is None else f"the value stands at {where}"
    return Mistake("index-not-whole", f"an index is a whole number, and this is {value}", span, mend, where is not None)


def unknown_level(span: Span, axis: str, level: str, levels: Sequence[str], where: str | None) -> Mistake:
    close = nearest(level, levels)
    place = f"it stands at {where}" if where is not None else None
    hint = f'did you mean "{close}"?' if close else f"its levels are {_few(levels)}"
    message = f'`{axis}` has no level "{level}"'
    return Mistake("unknown-level", message, span, _lines(place, hint), where is not None)


def _few(values: Sequence[str]) -> str:
    shown = ", ".join(f'"{value}"' for value in values[:5])
    return shown + (f", ... ({len(values)} in all)" if len(values) > 5 else "")


def number_on_levels(span: Span, axis: str, levels: Sequence[str]) -> Mistake:
    mend = f'write the level: `["{levels[0]}"]`'
    return Mistake("number-on-levels", f"the axis `{axis}` has named levels, not numbers", span, mend)


def text_on_positions(span: Span, name: str) -> Mistake:
    mend = "declare it over the levels of a column, `a[column] ~ ...`, or index with positions, from 1"
    return Mistake("text-on-positions", f"`{name}` has no named levels", span, mend)


def uneven_range(span: Span, text: str) -> Mistake:
    mend = "sum over an index of its own, `sum(x[s] for s in 1..t)`, which may end anywhere"
    return Mistake("uneven-range", f"`{text}` is longer in some rounds of the loop than in others", span, mend)


def bad_range(span: Span, low: int, high: int, length: int) -> Mistake:
    mend = "a range goes up" if high < low else None
    message = f"{low}..{high} is no range of an axis with elements 1 to {length}"
    return Mistake("bad-range", message, span, mend)


def not_a_count(span: Span, text: str, found: str) -> Mistake:
    mend = "a bracket on the left holds a count, a column whose levels it runs over, or `rows`"
    return Mistake("not-a-count", f"`{text}` declares no axis: it is {found}", span, mend)


def not_a_factor(span: Span, text: str) -> Mistake:
    mend = "`by` takes the name of a column of text or whole numbers"
    return Mistake("not-a-factor", f"`{text}` has no levels", span, mend)


def no_such_column(span: Span, text: str, columns: Sequence[str]) -> Mistake:
    close = nearest(text, columns)
    mend = f"did you mean `{close}`?" if close else f"the columns are {', '.join(columns[:8])}"
    what = "matches" if "*" in text or "?" in text else "is called"
    return Mistake("no-such-column", f"no column {what} `{text}`", span, mend)


def too_large(span: Span, elements: int, most: int) -> Mistake:
    mend = "is one of its axes longer than it should be?"
    return Mistake("too-large", f"an array of {elements:,} elements is more than the {most:,} that fit", span, mend)


def not_constant_within(span: Span, name: str, level: str, first: str, second: str) -> Mistake:
    mend = (
        "a column used over levels has one value a level: mend the rows, or summarise it on a line of its own, "
        f"`mean({written(name)}, by = ...)`"
    )
    message = f"`{name}` is not constant within {level}: {first}, {second}"
    return Mistake("not-constant-within", message, span, mend, in_data=True)


def ambiguous_lift(span: Span, name: str, axis: str) -> Mistake:
    mend = "values in the order of the levels and values in the order of the rows look alike; index one of them"
    return Mistake("ambiguous-lift", f"`{name}` could run over the rows or over the levels of `{axis}`", span, mend)


def matrix_product(
    span: Span, left: str, left_axes: tuple[Axis, ...], right: str, right_axes: tuple[Axis, ...]
) -> Mistake:
    for text, axes in ((left, left_axes), (right, right_axes)):
        if not 1 <= len(axes) <= 2:
            message = f"`@` multiplies matrices and vectors, and `{text}` has {axes_words(axes)}"
            return Mistake("matrix-product", message, span, "`*` multiplies element by element")
    ends, begins = axes_words(left_axes[-1:]), axes_words(right_axes[:1])
    message = f"`{left}` ends in {ends} and `{right}` begins with {begins}: `@` needs the two to be the same"
    return Mistake("matrix-product", message, span, "change the order, or choose the columns that belong together")


def nothing_to_reduce(span: Span, function: str) -> Mistake:
    return Mistake("nothing-to-reduce", f"`{function}` of no elements has no value", span, "this array is empty")


def needs_an_axis(span: Span, function: str) -> Mistake:
    mend = "give it an array: a column, or a name that was declared with a bracket"
    return Mistake("needs-an-axis", f"`{function}` works along an axis, and this is a single number", span, mend)


# -- kinds and supports -----------------------------------------------------------------------------------------------


def text_as_number(span: Span, name: str, trouble: str | None) -> Mistake:
    mend = trouble or 'text can be compared, `x == "a"`, and used as an index or an axis'
    return Mistake("text-as-number", f"`{name}` cannot be calculated with", span, mend, trouble is not None)


def unusable_data(span: Span, name: str, reason: str) -> Mistake:
    return Mistake("unusable-data", f"`{name}` cannot be used", span, reason, in_data=True)


def missing_value(span: Span, name: str, where: str) -> Mistake:
    mend = f"fill it in, drop the row, or give the name a distribution, `{name} ~ ...`, which imputes it"
    return Mistake("missing-value", f"`{name}` has a missing value: {where}", span, mend, in_data=True)


def not_exact(span: Span, name: str, value: int) -> Mistake:
    mend = "numbers are held in 64 bits, exact up to 2^53; as an identifier, use it only as an index or an axis"
    return Mistake(
        "not-exact", f"`{name}` holds {value}, too large to calculate with exactly", span, mend, in_data=True
    )


def bad_parameter(
    span: Span, family: str, parameter: str, words: str, value: str | None, where: str | None, in_data: bool
) -> Mistake:
    message = f"`{parameter}` of `{family}` must be {words}"
    if value is not None:
        message += f", and {value}" if " " in value else f", and is {value}"
    mend = None if where is None else f"it is so at {where}"
    return Mistake("bad-parameter", message, span, mend, in_data)


def parameter_may_leave(span: Span, family: str, parameter: str, words: str, name: str, mend: str) -> Mistake:
    message = f"`{parameter}` of `{family}` must be {words}, and `{name}` need not be"
    return Mistake("parameter-may-leave", message, span, mend)


def outside_support(
    span: Span, name: str, family: str, support: str, value: str, where: str, mend: str | None
) -> Mistake:
    message = f"`{name}` is {value} at {where}, and `{family}` gives {support}"
    mend = mend or "correct the value, drop the row, or choose a distribution that can give it"
    return Mistake("outside-support", message, span, mend, in_data=True)


def no_such_event(span: Span, name: str, family: str, support: str, said: str, where: str | None) -> Mistake:
    message = f"`{name}` {said}{f' at {where}' if where else ''}, and `{family}` gives {support}"
    if said == "is not":
        message = f"`{family}` gives {support}, and {where or f'`{name}`'} is no such matrix"
    return Mistake(
        "outside-support", message, span, "correct the values, or choose a distribution for them", in_data=True
    )


def empty_bounds(span: Span, lower: str, upper: str) -> Mistake:
    mend = "the lower bound is the smaller one; a family's own bounds count too"
    return Mistake("empty-bounds", f"nothing lies above {lower} and below {upper}", span, mend)


def no_whole_number(span: Span, lower: str, upper: str) -> Mistake:
    mend = "the lower end comes first; `>` and `<` leave their bound out, `>=` and `<=` do not"
    return Mistake("empty-bounds", f"no whole number lies from {lower} up to {upper}", span, mend)


def bounds_in_a_circle(span: Span, name: str) -> Mistake:
    mend = "increasing elements are `Ordered(...)`; else give them names of their own, `low ~ ...`, `high ~ ... > low`"
    return Mistake("bounds-in-a-circle", f"the bounds of `{name}` depend on `{name}`", span, mend)


def cannot_bound(span: Span, family: str) -> Mistake:
    mend = "bounds cut the families of single numbers; for categories, give the others the probability 0"
    return Mistake("cannot-bound", f"`{family}` cannot be bounded", span, mend)


def bounds_of_wrapper(span: Span, wrapper: str, family: str) -> Mistake:
    mend = f"a bound stands inside, where it cuts each element: `{wrapper}({family}(...) > 0)`"
    return Mistake("bounds-of-wrapper", f"`{wrapper}` itself cannot be bounded", span, mend)


def repeats(span: Span, family: str) -> Mistake:
    mend = f"say which turn is meant: `-pi < {family}(...) < pi`"
    return Mistake(
        "repeats", f"the density of `{family}` repeats every 2 pi: it needs both bounds, or none", span, mend
    )


def latent_repeats(span: Span, name: str, family: str) -> Mistake:
    mend = f"say which turn is meant: `{name} ~ -pi < {family}(...) < pi`"
    message = f"the density of `{family}` repeats every 2 pi: `{name}` can be told only up to whole turns"
    return Mistake("latent-repeats", message, span, mend)


def not_for_ordered(span: Span, family: str) -> Mistake:
    mend = "it takes what each element is, a family of single real numbers: `Ordered(Normal(0, 1))`"
    return Mistake("not-for-wrapper", f"`Ordered` cannot hold `{family}`", span, mend)


def not_for_zero_sum(span: Span, family: str, bounded: bool) -> Mistake:
    why = "whose values are bounded" if bounded else "whose values are not real numbers"
    mend = "it takes families of all real numbers, or of vectors of them, without bounds: `ZeroSum(Normal(0, 1))`"
    return Mistake("not-for-wrapper", f"`ZeroSum` cannot hold `{family}`, {why}", span, mend)


def ordered_bounds_vary(span: Span, family: str) -> Mistake:
    mend = "use one number for all of them, or give each a name of its own, `low ~ ...`, `high ~ ... > low`"
    message = f"within `Ordered` all elements have the same bounds, and those of `{family}` vary"
    return Mistake("ordered-bounds-vary", message, span, mend)


def cannot_simulate(span: Span, name: str, family: str, wrapper: str | None = None) -> Mistake:
    mend = f"give `{name}` a proper distribution, or use it in something observed"
    if wrapper is not None:
        mend = f"use it in something observed, or put `Normal` into `{wrapper}`"
    shown = family if wrapper is None else f"{wrapper}({family}(...))"
    return Mistake(
        "cannot-simulate", f"`{shown}` cannot be drawn from, and nothing observed depends on `{name}`", span, mend
    )


def factor_not_finite(span: Span, value: str) -> Mistake:
    mend = "what is added to the log density is a finite number wherever the latents can be"
    return Mistake("factor-not-finite", f"this `factor` depends on no latent and is {value}", span, mend)


def nothing_observed(span: Span | None, names: Sequence[str], columns: Sequence[str]) -> Mistake:
    random = ", ".join(f"`{name}`" for name in names[:8]) or "none"
    message = f"nothing is observed: no name left of `~` is in the data (random names: {random})"
    pairs = [(name, nearest(name, columns)) for name in names]
    close = [f"did you mean `{column}` by `{name}`?" for name, column in pairs if column]
    held = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
    return Mistake("nothing-observed", message, span, "\n".join([*close, f"the data hold {held or 'no names'}"]))


def not_finite(span: Span, name: str, detail: str) -> Mistake:
    return Mistake("not-finite", f"the log density of `{name}` is not finite at the start", span, detail)
