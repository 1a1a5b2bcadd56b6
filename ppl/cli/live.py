"""a fit under way -> a line on the terminal that says how far it is; Ctrl-C -> an end with what there is."""

from __future__ import annotations

import _thread
import math
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ppl.language.errors import text_width

if TYPE_CHECKING:
    from ppl.infer.watch import Progress, Watch

_PATIENCE = 0.7  # seconds after an interruption, for the record of all that was found


class _Line:
    """One line of standard error, drawn over again and again."""

    def __init__(self) -> None:
        self.width = 0

    def show(self, progress: Progress) -> None:
        room = shutil.get_terminal_size().columns - 1
        text = told(progress)[:room]
        click.echo("\r" + text + " " * max(0, min(self.width, room) - text_width(text)), err=True, nl=False)
        self.width = text_width(text)

    def clear(self) -> None:
        if self.width:
            click.echo("\r" + " " * self.width + "\r", err=True, nl=False)
            self.width = 0


def told(progress: Progress) -> str:
    """`mean field, guide · ELBO -12.34 nats · 5,120 gradients · 1.2 s`."""
    elbo = "" if math.isnan(progress.elbo) else f" · ELBO {progress.elbo:,.2f} nats"
    return f"{progress.phase}{elbo} · {progress.evaluations:,} gradients · {progress.seconds:.1f} s"


@contextmanager
def watching() -> Iterator[Watch]:
    """A watch that shows progress where standard error is a terminal, and takes the first Ctrl-C as a request to end
    with what there is; a second one ends the program at once.
    """
    from ppl.infer.watch import Watch

    line = _Line()
    watch = Watch(report=line.show if sys.stderr.isatty() else None)
    if threading.current_thread() is not threading.main_thread():  # signals are not ours
        yield watch
        return
    interruption = _Interruption(watch)
    before = signal.signal(signal.SIGINT, interruption.handle)
    try:
        yield watch
    finally:
        interruption.end()
        signal.signal(signal.SIGINT, before)
        line.clear()


class _Interruption:
    def __init__(self, watch: Watch):
        self.watch = watch
        self.timer: threading.Timer | None = None
        self.late = False

    def handle(self, number: int, frame: Any) -> None:
        from ppl.infer.watch import Late

        if self.late:  # the timer rang
            self.late = False
            if self.watch.finishing:
                raise Late
        elif self.watch.stopped:
            raise KeyboardInterrupt
        else:
            self.watch.stopped = True
            self.timer = threading.Timer(_PATIENCE, self._ring)
            self.timer.daemon = True
            self.timer.start()
            if self.watch.inferring:
                raise KeyboardInterrupt

    def _ring(self) -> None:
        self.late = True
        _thread.interrupt_main()

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
