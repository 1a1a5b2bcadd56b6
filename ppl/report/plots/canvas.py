"""what a kind of plot draws -> a matplotlib figure in the style of the house, and a figure -> PNG, SVG or PDF."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ppl.language.errors import UsageError, text_width
from ppl.report.atomic import replacing
from ppl.report.letters import showable

BLUE, PALE, DARK, GREY, RED = "#1f5a8c", "#b9d0e4", "#222222", "#8a8a8a", "#b5402a"
LONGEST = 28  # columns of a label; the middle of longer ones is cut out
FORMATS = (".png", ".svg", ".pdf")
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": "ppl"}, "pdf": {"CreationDate": None}}
_STYLE: dict[str, Any] = {
    "font.size": 9.0, "axes.titlesize": 9.5, "axes.labelsize": 9.0, "axes.edgecolor": GREY, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": "#444444", "ytick.color": "#444444",
    "axes.formatter.useoffset": False, "axes.formatter.limits": (-4, 5), "axes.unicode_minus": False,
    "text.parse_math": False, "axes.formatter.use_mathtext": False, "figure.facecolor": "white",
    "savefig.facecolor": "white", "legend.frameon": False, "path.simplify": True,
}  # fmt: skip


def require_matplotlib() -> None:
    """Raises `UsageError` that says what to install."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("plots are drawn by matplotlib, which is not installed: pip install 'ppl[plot]'") from None


@contextmanager
def style(texts: Iterable[str]) -> Iterator[None]:
    """The settings under which a figure is made and written; `texts` are what will be written into it.

    Names are never read as formulas, and a letter that no installed font holds is a box, not a warning.
    """
    require_matplotlib()
    import matplotlib as mpl

    settings: Any = {**_STYLE, "font.family": _families("".join(texts))}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+|All-NaN slice")
        yield


def _families(text: str) -> list[str]:
    """DejaVu Sans, which comes with matplotlib, and for letters that it lacks other fonts that are installed."""
    from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager

    families = ["DejaVu Sans"]
    lacking = {ord(letter) for letter in text if ord(letter) > 0x2FF and not letter.isspace()}
    if lacking:
        lacking -= _held(findfont(FontProperties(family="DejaVu Sans")))
    files = findSystemFonts() if lacking else []
    for file in sorted(files, key=lambda file: ("Sans" not in file, "Regular" not in file, file)):
        found = lacking & _held(file)
        if found:
            fontManager.addfont(file)
            families.append(FontProperties(fname=file).get_name())
            lacking -= found
        if not lacking:
            break
    return families


@cache
def _held(file: str) -> frozenset[int]:
    """The letters that a font holds."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(get_font(file).get_charmap())
    except (OSError, RuntimeError):  # a file that cannot be read
        return frozenset()


@cache
def _shown_figure() -> Any:
    """The class of figures that notebooks show without pyplot."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            return as_bytes(self, "png")

    return Shown


def figure(width: float, height: float) -> Any:
    """An empty figure, in inches, that lays itself out and belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    made = _shown_figure()(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def grid(panels: int, most_columns: int = 4, width: float = 2.3, height: float = 1.75) -> tuple[Any, list[Any]]:
    """A figure with so many panels, and their axes in order."""
    columns = min(most_columns, panels)
    columns = 3 if panels in (5, 6, 9) and most_columns >= 3 else columns
    rows = -(-panels // columns)
    made = figure(max(3.6, width * columns), height * rows + 0.35)
    axes = list(made.subplots(rows, columns, squeeze=False).reshape(-1))
    for spare in axes[panels:]:
        spare.set_visible(False)
    return made, axes[:panels]


def as_bytes(made: Any, form: str, salt: str = "ppl") -> bytes:
    """A figure as "png", "svg" or "pdf"; the same figure gives the same bytes."""
    import matplotlib as mpl

    out = io.BytesIO()
    metadata = _METADATA.get(form, {})
    with mpl.rc_context({"svg.hashsalt": salt, "pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        made.savefig(out, format=form, dpi=160, metadata=metadata)
    return out.getvalue()


def form_of(path: str | os.PathLike[str]) -> str:
    """ "png", "svg" or "pdf", by a file's ending. Raises `UsageError` for any other."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"{os.fspath(path)}: plots are written as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return ending[1:]


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write whole or not at all. Raises `FileError`."""
    with replacing(path) as side:
        side.write_bytes(content)


def written(label: str, longest: int = LONGEST) -> str:
    """A label on one line, without what cannot be drawn, and with its middle cut out where it is long."""
    text = showable(label)
    if text_width(text) <= longest:
        return text
    half = (longest - 1) // 2
    while text_width(text[:half]) + text_width(text[-half:]) > longest and half > 3:
        half -= 1
    return f"{text[:half]}\u2026{text[-half:]}"


def all_written(labels: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Labels as `written` gives them; those that would look alike are numbered, from 1."""
    found = [written(label, longest) for label in labels]
    often, so_far = Counter(found), Counter[str]()
    shown = []
    for text in found:
        so_far[text] += 1
        shown.append(text if often[text] == 1 else f"{so_far[text]}: {text}")
    return shown


def limits(values: Sequence[float] | np.ndarray, room: float = 0.05) -> tuple[float, float]:
    """From the least to the greatest finite value, with some room; never empty."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    middle, span = low / 2 + high / 2, high - low
    if not np.isfinite(span):  # too wide for a float
        return low / 4, high / 4
    if span <= 1e-9 * max(abs(low), abs(high), 1e-300):
        half = 0.5 * abs(middle) or 0.5
        return middle - half, middle + half
    return low - room * span, high + room * span


def few_ticks(axis: Any, most: int = 4) -> None:
    """At most so many round numbers along an axis."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))


def nothing(axes: Any, words: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, transform=axes.transAxes)
