"""`ppl plot`: every kind on every model, legible with any names, and what it refuses."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import special, stats

import ppl
from ppl.cli.reopen import reopened
from ppl.report import fitfile
from ppl.report.plots import canvas, checks, densities, intervals, pairs
from ppl.report.plots.density import smooth
from ppl.report.plots.scalars import chosen
from tests.look.conftest import NAMES, Command, without

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
KINDS = ("densities", "intervals", "pairs", "checks", "curves", "path", "graph")
SVG = "{http://www.w3.org/2000/svg}"


def texts_of(figure: object) -> list[str]:
    """All that a figure says, in panels that are shown."""
    found = []
    for axes in figure.axes:  # type: ignore[attr-defined]
        found += [text.get_text() for text in axes.texts] + [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
        found += [label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return [text for text in found if text]


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_every_model(name: str, fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    """The others are drawn in the reports of every model."""
    for kind in KINDS if name in ("poisson", "eight_schools") else ("densities", "graph"):
        done = command("plot", fits[name], "--kind", kind, "-o", f"{kind}.svg")
        if (name, kind) == ("eight_schools", "curves"):
            assert (done.code, done.err) == (2, "no curves: the mean of `y` is the same all along `sigma`\n")
            continue
        assert (done.code, done.out, done.err) == (0, "", f"written to {kind}.svg\n")
        drawn = ElementTree.parse(in_folder / f"{kind}.svg").getroot()
        assert drawn.tag == f"{SVG}svg"
        assert len(list(drawn.iter(f"{SVG}path"))) > 1


@pytest.mark.parametrize(
    ("kind", "ending", "begins"),
    [("graph", "png", b"\x89PNG"), ("path", "PDF", b"%PDF"), ("path", "svg", b"<?xml"), ("graph", "svg", b"<svg")],
)
def test_formats(
    kind: str, ending: str, begins: bytes, fits: dict[str, Path], command: Command, in_folder: Path
) -> None:
    """The same fit gives the same bytes."""
    for name in ("one", "other"):
        assert command("plot", fits["poisson"], "--kind", kind, "-o", f"{name}.{ending}").code == 0
    content = (in_folder / f"one.{ending}").read_bytes()
    assert content.startswith(begins)
    assert content == (in_folder / f"other.{ending}").read_bytes()


def test_without_a_name_it_is_called_after_fit_and_kind(
    fits: dict[str, Path], command: Command, in_folder: Path
) -> None:
    assert command("plot", fits["poisson"]).err == "written to poisson-intervals.png\n"
    assert (in_folder / "poisson-intervals.png").stat().st_size > 1000


# -- what is drawn -----------------------------------------------------------------------------------------------------


def test_intervals_are_the_quantiles_of_the_draws(fits: dict[str, Path]) -> None:
    record = fitfile.read(fits["varying_intercepts"])
    figure = intervals.draw(record)
    drawn = {}
    for axes in figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        for label, outer, inner in zip(labels, *(lines.get_segments() for lines in axes.collections[:2]), strict=True):
            drawn[label] = (outer[0][0], inner[0][0], inner[1][0], outer[1][0])
    assert "alpha[Ashcombe]" in drawn
    assert len(drawn) == 5 + 16
    for scalar in chosen(record, (), 99)[0]:
        np.testing.assert_allclose(drawn[scalar.label], np.quantile(scalar.draws, [0.05, 0.25, 0.75, 0.95]))


def test_intervals_of_one_axis_can_be_told_apart(fits: dict[str, Path]) -> None:
    """In the linear regression, alpha is near 300 and a slope near 0.1: they stand on axes of their own."""
    figure = intervals.draw(fitfile.read(fits["linear_regression"]))
    assert len(figure.axes) >= 2
    for axes in figure.axes:
        low, high = axes.get_xlim()
        for outer in axes.collections[0].get_segments():
            assert outer[1][0] - outer[0][0] > (high - low) / 60


def test_densities(fits: dict[str, Path]) -> None:
    figure = densities.draw(fitfile.read(fits["eight_schools"]))
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles[:3] == ["mu", "tau", "theta_raw[Choate]"]
    assert len(titles) == 18
    assert figure.axes[1].get_xlim()[0] > -1, "a density of what is positive ends at 0"


def test_names_that_are_asked_for(fits: dict[str, Path], command: Command) -> None:
    record = fitfile.read(fits["eight_schools"])
    figure = densities.draw(record, ("theta[Choate]", "tau"))
    assert [axes.get_title() for axes in figure.axes] == ["theta[Choate]", "tau"]
    assert len(chosen(record, ("theta",), 99)[0]) == 8
    assert "mu" in texts_of(pairs.draw(record, ("mu", "tau")))


def test_pairs_of_many_are_those_that_hang_together(fits: dict[str, Path]) -> None:
    labels = texts_of(pairs.draw(fitfile.read(fits["linear_regression"])))
    assert {"alpha", "beta[year]", "sigma"} <= set(labels)
    strong = [float(label) for label in labels if re.fullmatch(r"[+-]\d\.\d\d", label)]
    assert min(strong) < -0.98


def test_density_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    normal = rng.standard_normal(20_000)
    x, y = smooth(normal)
    np.testing.assert_allclose(y, stats.norm.pdf(x), atol=0.02)
    x, y = smooth(rng.exponential(size=20_000))
    np.testing.assert_allclose(y, stats.expon.pdf(x), atol=0.12)
    np.testing.assert_allclose(y[0], 1.0, atol=0.12)  # it does not sink towards the bound
    x, y = smooth(normal, -6.0, 6.0, mirror=False)
    assert np.trapezoid(y, x) == pytest.approx(1.0, abs=1e-3)


def test_checks_show_labels_and_counts() -> None:
    rng = np.random.default_rng(1)
    few = checks.Check("y", np.arange(3.0), rng.normal(size=(50, 3)), ("a", "b", "c"), "")
    many = checks.Check("count", rng.poisson(2, 90) * 1.0, rng.poisson(2, (50, 90)) * 1.0, ("",) * 90, "rows")
    grades = checks.Check("grade", np.array([1.0, 2, 2]), np.ones((50, 3)), ("1", "2", "3"), "rows", ("low", "high"))
    figure = checks.draw([few, many, grades])
    shown = texts_of(figure)
    assert {"y", "a", "b", "c", "count", "how often", "grade", "low", "high"} <= set(shown)
    heights = [bar.get_height() for bar in figure.axes[2].patches]
    assert heights == [1, 2]
    odd = checks.Check("odd", np.zeros(3), np.full((50, 3), np.inf), ("1", "2", "3"), "rows")
    same = checks.Check("same", np.ones(99), np.ones((50, 99)), ("",) * 99, "rows")
    assert "always the same" in texts_of(checks.draw([odd, same]))


def test_curves_are_the_mean_of_the_model(fits: dict[str, Path]) -> None:
    """Worked out here from the draws of a logistic regression: others at their mean, the level most frequent."""
    material = reopened(str(fits["logistic"]))
    along_mites, along_stores = material.curves((), False)
    assert (along_mites.name, along_mites.predictor, along_stores.predictor) == ("survived", "mites", "stores")
    draws = {name: quantity.draws[:, None] for name, quantity in material.record.quantities.items()}
    columns = material.model().data.columns
    treated = columns["treated"]
    assert treated.levels is not None
    most = treated.levels[np.bincount(treated.values).argmax()]
    eta = draws["alpha"] + draws["mite"] * along_mites.x + draws["honey"] * columns["stores"].values.mean()
    np.testing.assert_allclose(along_mites.means, special.expit(eta + draws["treatment"] * (most == "yes")), rtol=1e-9)
    assert along_mites.held == f"stores {columns['stores'].values.mean():.4g}, treated {most}"
    np.testing.assert_array_equal(along_mites.seen, columns["mites"].values)


def test_curves_hold_what_belongs_to_a_level(fits: dict[str, Path]) -> None:
    """The rain of a village is that of the village held, not the mean; along it there is no curve of one village."""
    [curve] = reopened(str(fits["varying_intercepts"])).curves((), False)
    assert curve.predictor == "nitrogen"
    assert re.fullmatch(r"village (\w+), rain \d+", curve.held)


# -- any names, any draws ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("intervals", "curves")])
def test_hostile_names(kind: str, hostile: Path, command: Command, in_folder: Path) -> None:
    """No warning, which would be an error here, and no markup that is not escaped."""
    done = command("plot", hostile, "--kind", kind, "-o", "p.svg")
    assert (done.code, done.out) == (0, "")
    drawn = ElementTree.parse(in_folder / "p.svg").getroot()
    assert not [tag for tag in drawn.iter() if tag.tag in (f"{SVG}script", f"{SVG}b", f"{SVG}img")]


def test_what_cannot_be_drawn_is_said(hostile: Path) -> None:
    """And with 200 levels every label has a line of its own."""
    record = fitfile.read(hostile)
    shown = texts_of(densities.draw(record, ("k", "c", "n", "w")))
    assert "constant" in shown
    assert any(re.fullmatch(r"[\d.]+ % not finite", text) for text in shown)
    figure = intervals.draw(record)
    labels = [text for text in texts_of(figure) if not re.fullmatch(r"[−\d.]+", text)]  # two panels may share a tick
    assert len(set(labels)) == len(labels), "no two labels look alike"
    assert max(map(len, labels)) < 40
    assert all(np.isfinite(axes.get_xlim()).all() for axes in figure.axes)
    assert canvas.as_bytes(figure, "png").startswith(b"\x89PNG")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the machine may have no font for all letters
        figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
        gaps = [upper.y0 - lower.y1 for upper, lower in pairwise(boxes)]
        assert min(gaps, default=0.0) > -3.0
        assert all(box.x0 >= -1 for box in boxes)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-o", "p.jpg"), 2, "p.jpg: plots are written as .png, .svg or .pdf"),
        (("-o", "none/p.png"), 6, "none/p.png: the folder none does not exist"),
        (("--kind", "histogram"), 2, "'histogram' is not one of"),
        (("--of", "thetta"), 2, "--of thetta: the fit holds no such name; did you mean `theta`?"),
        (("--of", "theta[Choat]"), 2, "--of theta[Choat]: `theta` has no such element; did you mean `theta[Choate]`?"),
        (("--kind", "checks", "--of", "z"), 2, "--of z: no such name was observed; observed are y"),
        (("--kind", "curves", "--of", "z"), 2, "--of z: there is no curve of it, or along it; there are y, sigma"),
        (("--kind", "path", "--of", "mu"), 2, "--of does not go with --kind path"),
        (("--kind", "graph", "--of", "mu"), 2, "--of does not go with --kind graph"),
        (("--kind", "pairs", "--of", "mu"), 2, "pairs needs two scalars that vary, and there is 1: `mu`"),
        (("--kind", "pairs", "--of", "theta", "--of", "mu"), 2, "pairs shows at most 8 scalars, and --of names 9"),
    ],
)
def test_refuses(arguments: tuple[str, ...], code: int, message: str, fits: dict[str, Path], command: Command) -> None:
    done = command("plot", fits["eight_schools"], *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_refuses_what_is_no_fit(command: Command, in_folder: Path) -> None:
    (in_folder / "junk.nc").write_text("junk")
    assert command("plot", "junk.nc").code == 6
    assert "there is no such file" in command("plot", "none.nc").err


def test_without_matplotlib(fits: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "matplotlib")
    done = command("plot", fits["poisson"])
    assert (done.code, done.out) == (2, "")
    assert done.err == "plots are drawn by matplotlib, which is not installed: pip install 'ppl[plot]'\n"
    assert command("plot", fits["poisson"], "--kind", "graph", "-o", "g.svg").code == 0, "SVG graphs need no matplotlib"


@pytest.mark.parametrize("kind", KINDS)
def test_from_python(kind: str, fits: dict[str, Path], in_folder: Path) -> None:
    """A figure of matplotlib, which a notebook shows."""
    from matplotlib.figure import Figure

    fit = ppl.read_fit(fits["poisson"])
    made = fit.plot(kind)
    assert isinstance(made, Figure)
    assert made._repr_png_().startswith(b"\x89PNG") and texts_of(made)
    made.savefig("p.pdf")
    assert Path("p.pdf").read_bytes().startswith(b"%PDF")


def test_from_python_refused(fits: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ppl.read_fit(fits["poisson"])
    assert [axes.get_title() for axes in fit.plot("densities", of="beta").axes] == ["beta"]
    with pytest.raises(ppl.UsageError, match=r"kind must be one of .*, not 'interval'; did you mean 'intervals'"):
        fit.plot("interval")
    with pytest.raises(ppl.UsageError, match="the fit holds no such name; did you mean `alpha`"):
        fit.plot(of="alpa")
    without(monkeypatch, "matplotlib")
    with pytest.raises(ppl.UsageError, match=r"pip install 'ppl\[plot\]'"):
        fit.plot()
