"""a fit under way -> how far it is, the best it has seen, and whether it was told to stop.

Rungs do not pass this on: a fit that is watched sets it for its own context, and where none is set nothing is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from typing import Any, Protocol, TypeVar

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.values import dataclass

Read = TypeVar("Read")
_BETWEEN = 0.1  # seconds, of two reports


class Late(BaseException):
    """What is left to do after an interruption takes too long: raised by whoever measures that."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Words and numbers that JSON holds, and arrays."""

    words: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class Store(Protocol):
    """Where pieces of a fit are kept, so that it can go on from them; without `eager` only where it is not too soon."""

    def get(self, key: str) -> Piece | None: ...
    def put(self, key: str, make: Callable[[], Piece], eager: bool) -> None: ...
    def drop(self, key: str) -> None: ...
    def damaged(self) -> Exception: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """`evaluations` are gradients of the log density at one draw; the ELBO in nats, NaN where there is none yet."""

    phase: str
    elbo: float
    evaluations: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A mean field, the packed parameters mu and log sigma (D,), and its ELBO: NaN for a starting point."""

    mu: np.ndarray
    log_sigma: np.ndarray
    elbo: float


@dataclass(slots=True, eq=False)
class Watch:
    """`report` is called with the progress ten times a second at most.

    Whoever sets `stopped` raises `KeyboardInterrupt` too; a fit whose watch is `stopped` ends with what it has found.
    """

    report: Callable[[Progress], None] | None = None
    store: Store | None = None
    stopped: bool = False
    inferring: bool = False  # where an interruption may be raised
    finishing: bool = False  # where `Late` may be raised
    phase: str = ""
    step: str = ""
    elbo: float = np.nan
    evaluations: int = 0
    joint: LogJoint | None = None  # in the coordinates of which rungs say what they see
    seen: Seen | None = None
    started: float = field(default_factory=time.perf_counter)
    reported: float = -np.inf

    def tell(self) -> None:
        now = time.perf_counter()
        if self.report is not None and now - self.reported >= _BETWEEN:
            self.reported = now
            phase = ", ".join(part for part in (self.phase, self.step) if part)
            self.report(Progress(phase, self.elbo, self.evaluations, now - self.started))


_CURRENT: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch | None) -> Iterator[None]:
    """The watch of all fits in the block."""
    token = _CURRENT.set(watch)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Watch | None:
    return _CURRENT.get()


def is_stopped() -> bool:
    watch = _CURRENT.get()
    return watch is not None and watch.stopped


def enter(phase: str) -> None:
    """A rung begins: what was seen before is in other coordinates, perhaps."""
    watch = _CURRENT.get()
    if watch is not None:
        watch.phase, watch.step, watch.joint, watch.seen = phase, "", None, None
        watch.tell()


def coordinates(joint: LogJoint) -> None:
    """In which what is seen from here on stands."""
    watch = _CURRENT.get()
    if watch is not None:
        watch.joint, watch.seen = joint, None


def step(name: str) -> None:
    """A part of a rung begins."""
    watch = _CURRENT.get()
    if watch is not None:
        watch.step = name
        watch.tell()


def tick(gradients: int) -> None:
    """So many gradients are about to be evaluated. Raises `KeyboardInterrupt` where an earlier one was lost."""
    watch = _CURRENT.get()
    if watch is not None:
        watch.evaluations += gradients
        watch.tell()
        if watch.stopped and watch.inferring:
            raise KeyboardInterrupt


def note(elbo: float, mu: np.ndarray | None = None, log_sigma: np.ndarray | None = None) -> None:
    """An ELBO, and the mean field it belongs to; that of a mere starting point is NaN."""
    watch = _CURRENT.get()
    if watch is None:
        return
    if np.isfinite(elbo):
        watch.elbo = elbo
    if mu is None or log_sigma is None or elbo == -np.inf:
        return
    before = watch.seen
    if before is None or np.isnan(before.elbo) or elbo > before.elbo:
        watch.seen = Seen(mu, log_sigma, elbo)


def holds(key: str) -> bool:
    """Whether there is a store, with a piece under this key."""
    watch = _CURRENT.get()
    return watch is not None and watch.store is not None and watch.store.get(key) is not None


def recall(key: str, read: Callable[[Piece], Read]) -> Read:
    """What `read` makes of the piece under a key that the store `holds`. Raises what a store has for a damaged one."""
    watch = _CURRENT.get()
    assert watch is not None and watch.store is not None
    piece = watch.store.get(key)
    assert piece is not None
    try:
        return read(piece)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise watch.store.damaged() from error


def keep(key: str, make: Callable[[], Piece], eager: bool = True) -> None:
    """Keep what `make` gives, where there is a store; without `eager` only now and then."""
    watch = _CURRENT.get()
    if watch is not None and watch.store is not None:
        watch.store.put(key, make, eager)


def forget(key: str) -> None:
    """Keep it no longer."""
    watch = _CURRENT.get()
    if watch is not None and watch.store is not None:
        watch.store.drop(key)
