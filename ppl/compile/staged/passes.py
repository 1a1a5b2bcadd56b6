"""listing -> a listing that gives the same, to the last digits, with less work: small passes in one ordered table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged import kernels, loop
from ppl.compile.staged.elementary import quick_calls
from ppl.compile.staged.factors import constants_together, factors_first
from ppl.compile.staged.linear import pull_out
from ppl.compile.staged.listing import Call, Listing, Slot, drop_dead, reading, renamed, shape_in
from ppl.compile.staged.logistic import totals
from ppl.compile.staged.lower import lower
from ppl.compile.staged.simplify import known_signs, numbers_for_constants, simplify
from ppl.numeric import scan

_MOST_COMPARED = 4096  # elements of constants that are compared by their values


def share(listing: Listing) -> Listing:
    """Equal calls are done once."""
    known: dict[Any, Slot] = {}
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        arguments = [_named(argument) for argument in call.arguments]
        if call.function in (np.add, np.multiply):
            arguments.sort(key=str)
        key = (_named(call.function), *arguments, *((k, _named(v)) for k, v in call.options.items()))
        if key in known:
            stands_for[call.target.index] = known[key]
        else:
            known[key] = call.target
            calls.append(call)
    return renamed(listing, calls, stands_for)


def _named(argument: Any) -> Any:
    """What is equal for equal arguments; the listing keeps alive what is named by its id."""
    if isinstance(argument, Slot):
        return argument
    if isinstance(argument, np.ndarray | np.generic) and argument.size <= _MOST_COMPARED:
        return argument.shape, argument.dtype.str, argument.tobytes()
    if isinstance(argument, int | float | str | bool):
        return type(argument), argument
    if isinstance(argument, tuple):
        return tuple(_named(part) for part in argument)
    if isinstance(argument, slice):
        return slice, argument.start, argument.stop, argument.step
    return id(argument)


def fold(listing: Listing) -> Listing:
    """Calls of constants alone are done now."""
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        if call.shape is None or any(True for _ in call.sources()) or call.function is kernels.assembled:
            calls.append(call)
        else:
            with np.errstate(all="ignore"):
                stands_for[call.target.index] = np.asarray(call.function(*call.arguments, **call.options))
    return renamed(listing, calls, stands_for)


def assemble(listing: Listing) -> Listing:
    """Sums of arrays that are zero but for parts that do not overlap: one array into which the parts are put."""
    uses = listing.uses()
    parts: dict[int, Call] = {}
    calls: list[Call] = []
    gone: set[int] = set()
    for call in listing.calls:
        if call.function is np.add and call.shape is not None:
            both = [parts.get(slot.index) for slot in call.sources()]
            if len(both) == 2 and all(part is not None and uses[part.target.index] == 1 for part in both):
                own = tuple(argument for part in both if part is not None for argument in part.arguments[1:])
                if _apart(call.shape, own[1::2]):
                    gone.update(part.target.index for part in both if part is not None)
                    call = replace(call, function=kernels.assembled, arguments=(call.shape, *own), options={})
        if call.function is kernels.assembled:
            parts[call.target.index] = call
        calls.append(call)
    return replace(listing, calls=tuple(call for call in calls if call.target.index not in gone))


def _apart(shape: tuple[int, ...], keys: tuple[Any, ...]) -> bool:
    """Whether no element lies in two of the keys."""
    seen = np.zeros(shape, dtype=np.int8)
    for key in keys:
        seen[key] += 1
    return bool((seen <= 1).all())


def steps_of_recurrences(listing: Listing) -> Listing:
    """Recurrences as the listing of one step, optimised on its own."""
    shapes = listing.shapes()
    calls = []
    for call in listing.calls:
        if call.function is scan.scan:
            plan, *arguments = call.arguments
            body = loop.body_of(plan, [shape_in(argument, shapes) for argument in arguments])
            for each in STEP_PASSES:
                body = replace(body, listing=each(body.listing))
            call = replace(call, function=loop.run, arguments=(body, *arguments))
        calls.append(call)
    return replace(listing, calls=tuple(calls))


STEP_PASSES = (lower, numbers_for_constants, simplify, share, drop_dead)

PASSES: tuple[Callable[[Listing], Listing], ...] = (
    steps_of_recurrences, lower, numbers_for_constants, simplify, known_signs, numbers_for_constants, simplify, share,
    drop_dead, factors_first, pull_out, fold, constants_together, simplify, known_signs, totals, quick_calls, share,
    drop_dead, assemble,
)  # fmt: skip


def optimised(listing: Listing) -> Listing:
    """The listing after all passes, in their order."""
    for each in PASSES:
        listing = each(listing)
    return listing
