"""record -> pairs: draws of a few scalars against each other, with their correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppl.language.errors import UsageError
from ppl.report.plots import canvas, densities
from ppl.report.plots.density import window
from ppl.report.plots.scalars import Scalar, chosen
from ppl.report.record import Record

_MOST = 5
_MOST_ASKED = 8
_MOST_LOOKED_AT = 60
_POINTS = 1200


def draw(record: Record, names: Sequence[str] = ()) -> Any:
    """Scatter below the diagonal, densities on it, correlations above.

    Unasked, five latents: where there are more, those that hang together most. Raises `UsageError` for fewer than two.
    """
    found = _asked(record, names) if names else _hanging_together(record)
    if len(found) < 2:
        one = f": `{found[0].label}`" if found else ""
        raise UsageError(f"pairs needs two scalars that vary, and there is {len(found) or 'none'}{one}")
    n = len(found)
    with canvas.style(scalar.label for scalar in found):
        figure = canvas.figure(1.75 * n + 0.3, 1.6 * n + 0.3)
        panels = figure.subplots(n, n)
        for i in range(n):
            for j in range(n):
                axes = panels[i, j]
                if i == j:
                    densities.panel(axes, found[i])
                elif i > j:
                    _scatter(axes, found[j], found[i])
                else:
                    _correlation(axes, found[j], found[i])
                _label(axes, i, j, n, found)
    return figure


def _asked(record: Record, names: Sequence[str]) -> list[Scalar]:
    found, wanted = chosen(record, names, _MOST_ASKED)
    if wanted > _MOST_ASKED:
        raise UsageError(f"pairs shows at most {_MOST_ASKED} scalars, and --of names {wanted}: name elements of them")
    return [scalar for scalar in found if _varies(scalar)]


def _varies(scalar: Scalar) -> bool:
    finite = scalar.finite
    return finite.size == scalar.draws.size and bool(finite.min() < finite.max())


def _hanging_together(record: Record) -> list[Scalar]:
    found, _ = chosen(record, (), _MOST_LOOKED_AT)
    latent = [scalar for scalar in found if scalar.role == "latent" and _varies(scalar)]
    latent = latent if len(latent) > 1 else [scalar for scalar in found if _varies(scalar)]
    alone = [scalar for scalar in latent if scalar.label == scalar.name]
    if len(latent) <= _MOST:
        return latent
    if 2 <= len(alone) <= _MOST:
        return alone
    with np.errstate(all="ignore"):
        strength = np.nan_to_num(np.abs(np.corrcoef(_ranks(np.array([scalar.draws for scalar in latent])))))
    np.fill_diagonal(strength, -1.0)
    kept = [int(k) for k in np.unravel_index(np.argmax(strength), strength.shape)]
    while len(kept) < _MOST:
        pull = strength[kept].max(axis=0)
        pull[kept] = -1.0
        kept.append(int(np.argmax(pull)))
    return [latent[k] for k in sorted(kept)]


def _ranks(draws: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(draws, axis=1), axis=1).astype(np.float64)


def _shown(scalar: Scalar) -> tuple[float, float]:
    """The axis of a scalar: without the outermost draws, which would leave no room for the rest."""
    return canvas.limits(window(scalar.draws))


def _scatter(axes: Any, across: Scalar, up: Scalar) -> None:
    (left, right), (bottom, top) = _shown(across), _shown(up)
    x, y = across.draws[:_POINTS], up.draws[:_POINTS]
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    axes.plot(
        x[inside], y[inside], "o", color=canvas.BLUE, alpha=0.18, markersize=2.4,
        markeredgewidth=0, rasterized=True,
    )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    canvas.few_ticks(axes.xaxis, 3)
    canvas.few_ticks(axes.yaxis, 3)


def _correlation(axes: Any, across: Scalar, up: Scalar) -> None:
    axes.set_axis_off()
    found = float(np.corrcoef(_ranks(np.array([across.draws, up.draws])))[0, 1])
    colour = canvas.DARK if abs(found) > 0.3 else canvas.GREY
    axes.text(
        0.5, 0.5, f"{found:+.2f}", ha="center", va="center", fontsize=9 + 5 * abs(found), color=colour,
        transform=axes.transAxes,
    )  # fmt: skip


def _label(axes: Any, i: int, j: int, n: int, found: Sequence[Scalar]) -> None:
    """Names along the left and the bottom alone."""
    if i == n - 1:
        axes.set_xlabel(canvas.written(found[j].label, 22))
    elif i >= j:
        axes.tick_params(labelbottom=False)
    if j == 0 and i > 0:
        axes.set_ylabel(canvas.written(found[i].label, 20))
    elif j == 0:
        axes.set_title(canvas.written(found[0].label, 22))
    elif i > j:
        axes.tick_params(labelleft=False)
