"""`ppl plot` of latent space, images, predictive bands and calibration: what they show, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import ppl
from ppl.cli.plot import _KINDS
from ppl.cli.reopen import reopened
from ppl.data import dataset
from ppl.report.plots import calibration, kinds
from ppl.report.plots.asked import Asked, shape_of
from ppl.report.plots.calibration import Reliability
from ppl.report.plots.colours import PALETTE
from tests.look.conftest import Command

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
DECODER = """\
X = columns("px_*")
W[2, 9] ~ Param()
b[9] ~ Param()
z[rows, 2] ~ Normal(0, 1)
X ~ Bernoulli(logit = b + z @ W)
"""


def pixels(rows: int, seed: int) -> pd.DataFrame:
    """Pictures of nine pixels of two kinds: a bar that stands, and one that lies."""
    rng = np.random.default_rng(seed)
    stands = np.array([0, 1, 0] * 3)
    kind = rng.integers(0, 2, rows)
    images = np.where(kind[:, None] == 1, stands, stands.reshape(3, 3).T.reshape(-1)) ^ (rng.random((rows, 9)) < 0.05)
    columns: dict[str, Any] = {f"px_{i}": images[:, i].astype(int) for i in range(9)}
    return pd.DataFrame({**columns, "kind": np.array(["lies", "stands"])[kind], "ink": images.sum(axis=1) / 9.0})


@pytest.fixture(scope="module")
def images() -> ppl.Fit:
    posterior = ppl.from_text(DECODER).condition(pixels(80, 1))
    return posterior.fit(amortise="z", encoder=(8,), epochs=150, learning_rate=0.02, draws=400)


@pytest.fixture(scope="module")
def image_file(images: ppl.Fit, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("images") / "fit.nc"
    images.save(path)
    return str(path)


def test_the_command_has_every_kind() -> None:
    assert tuple(kinds.KINDS) == _KINDS


# -- latent space ------------------------------------------------------------------------------------------------------


def offsets(figure: Any) -> dict[str, np.ndarray]:
    """Points by the label of their group."""
    groups = [one for one in figure.axes[0].collections if not str(one.get_label()).startswith("_nolegend")]
    return {str(one.get_label()): np.asarray(one.get_offsets()) for one in groups}


def test_latent_space_is_where_the_encoder_puts_rows(images: ppl.Fit) -> None:
    new = pixels(30, 2)
    drawn = offsets(images.plot("latent", of=("z[1]", "z[2]"), color="kind", new=new))
    means = images.encode(new)
    for level in ("lies", "stands"):
        here = new["kind"] == level
        np.testing.assert_allclose(drawn[level][:, 0], means["z[1]_mean"][here])
        np.testing.assert_allclose(drawn[level][:, 1], means["z[2]_mean"][here])


def test_latent_space_of_the_fit_is_that_of_its_draws(images: ppl.Fit) -> None:
    figure = images.plot("latent", color="ink")
    [points] = [np.asarray(one.get_offsets()) for one in figure.axes[0].collections if len(one.get_offsets()) == 80]
    assert images.record.deep is not None
    order = np.argsort(-images.record.deep.axes["z"])
    np.testing.assert_allclose(points, images.draws["z"].mean(axis=0)[:, order], rtol=1e-6)
    assert figure.axes[0].get_xlabel().startswith(f"z[{order[0] + 1}] (KL ")
    assert figure.axes[1].get_ylabel() == "ink", "a number has a colour bar"


def test_latents_of_levels_bear_their_names() -> None:
    rng = np.random.default_rng(1)
    group = np.array([*"abcd"] * 5)
    data = pd.DataFrame({"group": group, "y": rng.normal(size=20), "north": np.isin(group, ["a", "b"])})
    fit = ppl.from_text("u[group, 2] ~ Normal(0, 1)\ny ~ Normal(u[group, 1] + u[group, 2], 1)\n").condition(data).fit()
    figure = fit.plot("latent", color="north")
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b", "c", "d"]
    assert {label: len(points) for label, points in offsets(figure).items()} == {"false": 2, "true": 2}
    with pytest.raises(ppl.UsageError, match="--color y: it has several values where group is a"):
        fit.plot("latent", color="y")


# Machado, Oliveira, Fernandes 2009, table 1: what those without one of the three kinds of cones see, of linear RGB
_DICHROMATS = (
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)


def test_colours_can_be_told_apart() -> None:
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in PALETTE])
    for matrix in (np.eye(3), *map(np.array, _DICHROMATS)):
        seen = np.clip(rgb**2.2 @ matrix.T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(len(rgb), 1)]
        assert apart.min() > 0.1


# -- images ------------------------------------------------------------------------------------------------------------


def shown(figure: Any) -> np.ndarray:
    return np.array([axes.images[0].get_array().filled(np.nan) for axes in figure.axes])


def test_reconstructions_stand_below_what_was_observed(images: ppl.Fit) -> None:
    new = pixels(30, 2)
    drawn = shown(images.plot("reconstructions", new=new))
    chosen = np.linspace(0, 29, 10).round().astype(int)
    observed = np.stack([new[f"px_{i}"] for i in range(9)], axis=1)
    np.testing.assert_array_equal(drawn[:10].reshape(10, 9), observed[chosen])
    table = images.encode(new)
    mean, sd = (np.stack([table[f"z[{d}]_{what}"] for d in (1, 2)], axis=1)[chosen] for what in ("mean", "sd"))
    z = mean + sd * np.random.default_rng(3).normal(size=(4000, 10, 2))
    point = {name: images.draws[name][0] for name in ("W", "b")}
    np.testing.assert_allclose(
        drawn[10:].reshape(10, 9), special.expit(point["b"] + z @ point["W"]).mean(axis=0), atol=0.06
    )
    of_fit = shown(images.plot("reconstructions"))
    assert np.abs(of_fit[10:] - of_fit[:10]).mean() < 0.2


def test_samples_come_from_the_prior(images: ppl.Fit) -> None:
    drawn = shown(images.plot("samples")).reshape(50, 9)
    z = np.random.default_rng(1).normal(size=(50_000, 2))
    expected = special.expit(images.draws["b"][0] + z @ images.draws["W"][0])
    assert np.abs(drawn.mean(axis=0) - expected.mean(axis=0)).max() < 4 * expected.std(axis=0).max() / np.sqrt(50)
    assert stats.ks_2samp(drawn[:, 1], expected[:, 1]).pvalue > 0.001


def test_empty_cells_and_shapes(images: ppl.Fit) -> None:
    assert shown(images.plot("samples", shape=(1, 9))).shape == (50, 1, 9)
    with pytest.raises(ppl.UsageError, match=r"--shape 2x4: that is 8 pixels, and `X` has 9"):
        images.plot("samples", shape=(2, 4))
    assert shape_of(" 8 x 4") == (8, 4)
    for text in ("8", "8x0", "x", "8x8x3"):
        with pytest.raises(ppl.UsageError, match="are written 8x8"):
            shape_of(text)


# -- bands and calibration ---------------------------------------------------------------------------------------------


def test_band_is_that_of_a_mixture_of_normals(fits: dict[str, Path]) -> None:
    """The quantiles of what a linear regression predicts, by solving for them: each draw is a Normal."""
    material = reopened(str(fits["linear_regression"]))
    curve = next(one for one in material.curves((), True) if one.predicted is not None)
    draws = material.record.quantities
    sigma = draws["sigma"].draws[:, None]
    for level in (0.05, 0.25, 0.75, 0.95):
        found = np.quantile(curve.predicted, level, axis=0)
        below = special.ndtr((found - curve.means) / sigma).mean(axis=0)
        np.testing.assert_allclose(below, level, atol=0.03)


def test_calibration_of_a_logistic_regression(fits: dict[str, Path]) -> None:
    material = reopened(str(fits["logistic"]))
    found = material.reliability(Asked())
    draws = {name: quantity.draws[:, None] for name, quantity in material.record.quantities.items()}
    columns = material.model().data.columns
    treated = columns["treated"].values == list(columns["treated"].levels or ()).index("yes")
    eta = draws["alpha"] + draws["mite"] * columns["mites"].values + draws["honey"] * columns["stores"].values
    np.testing.assert_allclose(found.said, special.expit(eta + draws["treatment"] * treated).mean(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(found.came, columns["survived"].values == 1)
    rows = {name: column.values for name, column in columns.items() if name != "treated"}
    rows["treated"] = np.where(treated, "yes", "no")
    new = material.reliability(Asked(new=dataset.read([pd.DataFrame(rows)])))
    np.testing.assert_allclose(new.said, found.said, rtol=1e-9)
    np.testing.assert_array_equal(new.came, found.came)


def test_calibration_of_categories() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=90)
    kind = np.array([*"abc"])[np.clip(np.round(x + rng.normal(size=90) * 0.5), -1, 1).astype(int) + 1]
    model = "B[1, 3] ~ Normal(0, 1)\na[3] ~ Normal(0, 1)\nkind ~ Categorical(logit = a + columns(x) @ B)\n"
    fit = ppl.from_text(model).condition(pd.DataFrame({"x": x, "kind": kind})).fit(draws=300)
    figure = fit.plot("calibration")
    logit = fit.draws["a"][:, None] + x[:, None] * fit.draws["B"]
    p = special.softmax(np.asarray(logit), axis=2).mean(axis=0)
    right = np.array([*"abc"])[p.argmax(axis=1)] == kind
    assert f"90 rows that the fit has seen, {100 * right.mean():.1f} % right" in figure.get_supxlabel()
    error, said = 0.0, p.max(axis=1)
    for low in np.arange(0, 1, 0.1):
        here = (said >= low) & (said < low + 0.1)
        error += abs(said[here].sum() - right[here].sum()) / 90
    assert f"calibration error {100 * error:.1f} %" in figure.axes[0].get_title()
    with pytest.raises(ppl.DataError, match="row 2, column kind: the fit knows no such value"):
        fit.plot("calibration", new=pd.DataFrame({"x": [0.1, 0.2], "kind": ["a", "d"]}))
    with pytest.raises(ppl.DataError, match="calibration needs the column `kind`"):
        fit.plot("calibration", new=pd.DataFrame({"x": [0.1, 0.2]}))


def test_what_chance_alone_shows_is_the_mean_deviation_of_a_binomial() -> None:
    usual, most = calibration.by_chance(np.full(40, 0.3))
    count = np.arange(41)
    expected = (stats.binom.pmf(count, 40, 0.3) * np.abs(count / 40 - 0.3)).sum()
    assert usual == pytest.approx(expected, rel=0.1)
    assert usual < most < 0.25


def test_calibration_of_what_is_always_certain() -> None:
    figure = calibration.draw(Reliability("y", "said", np.ones(5), np.ones(5, dtype=bool), "5 rows"))
    assert "calibration error 0.0 %" in figure.axes[0].get_title()


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kind", "latent", "--of", "y"), "--of y: the fit holds no such name"),
        (("--kind", "latent", "--of", "z[3]"), "--of z[3]: there is no such coordinate; did you mean `z[2]`?"),
        (("--kind", "latent", "--of", "W"), "`W` has no element for each row, or level"),
        (("--kind", "latent", "--color", "kin"), "--color kin: the fit keeps no such column; a column that the model"),
        (("--kind", "latent", "--shape", "3x3"), "--shape does not go with --kind latent"),
        (("--kind", "samples", "--new", "x.csv"), "x.csv"),
        (("--kind", "samples", "--of", "x"), "--of x: it is no observed matrix with a row for each row of the data"),
        (("--kind", "samples", "--shape", "9"), "--shape 9: rows and columns of an image are written 8x8"),
        (("--kind", "calibration"), "no calibration: no category, nor 0 or 1, is observed in each row"),
        (("--kind", "band"), "no band: no observed number depends on a column of numbers that vary"),
        (("--kind", "intervals", "--color", "kind"), "--color does not go with --kind intervals"),
    ],
)
def test_refuses(arguments: tuple[str, ...], message: str, image_file: str, command: Command, in_folder: Path) -> None:
    done = command("plot", image_file, *arguments)
    assert done.code != 0 and message in done.err


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("poisson", ("--kind", "latent"), "no latent space: no latent has one element for each row, or level"),
        ("poisson", ("--kind", "samples"), "no images: no observed name is a matrix with a row for each row"),
        ("logistic", ("--kind", "band"), "no band: `survived` is 0 or 1, of which a band says nothing"),
        (
            "varying_intercepts",
            ("--kind", "latent", "--of", "alpha"),
            "drawn by two coordinates, and there is one: `alpha`",
        ),
    ],
)
def test_refuses_of_other_models(
    name: str, arguments: tuple[str, ...], message: str, fits: dict[str, Path], command: Command, in_folder: Path
) -> None:
    done = command("plot", fits[name], *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
