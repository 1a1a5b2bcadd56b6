"""Each command that uses a fit, on every model in models/, and what each refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

import ppl
from ppl.report import fitfile, given
from tests.use.conftest import NAMES, Command

models = pytest.mark.parametrize("name", NAMES)


def table(text: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {key: [row[key] for row in rows] for key in rows[0]}


def observed(shop: Path, name: str) -> tuple[str, np.ndarray]:
    (found,) = fitfile.read(shop / f"{name}.nc").observed.values()
    return found.name, found.values.astype(float)


@models
def test_predict(name: str, command: Command, shop: Path) -> None:
    """Predictions for the rows of the fit itself lie about what was observed there; one of them alone is the same."""
    done = command("predict", f"{name}.nc", f"{name}.csv", "--seed", 2)
    assert (done.code, done.err) == (0, "")
    found = {key: np.array(values, dtype=float) for key, values in table(done.out).items()}
    y, values = observed(shop, name)
    np.testing.assert_array_equal(found["row"], np.arange(1, len(values) + 1))
    z = (values - found[f"{y}_mean"]) / np.maximum(found[f"{y}_sd"], 0.05)
    assert 0.02 < (z**2).mean() < 2.5
    assert (found[f"{y}_q5"] <= found[f"{y}_q50"]).all() and (found[f"{y}_q50"] <= found[f"{y}_q95"]).all()
    lines = (shop / f"{name}.csv").read_text().splitlines()
    (shop / f"{name}.one.csv").write_text(f"{lines[0]}\n{lines[2]}\n")
    kind = "response" if name == "robust_regression" else "mean"  # its means do not exist in every draw
    done = command("predict", f"{name}.nc", f"{name}.csv", "--kind", kind)
    alone = command("predict", f"{name}.nc", f"{name}.one.csv", "--kind", kind)
    among, one = (np.array(table(text)[f"{y}_q50"], dtype=float) for text in (done.out, alone.out))
    np.testing.assert_allclose(among[1], one[0], rtol=0.1 if kind == "response" else 1e-12)


@models
def test_ppc(name: str, command: Command, shop: Path) -> None:
    done = command("ppc", f"{name}.nc", "--json")
    assert (done.code, done.err) == (0, "")
    y, values = observed(shop, name)
    checks = json.loads(done.out)[y]
    mean = checks.get("mean", checks.get("share of ones"))
    assert mean["observed"] == pytest.approx(values.mean())
    assert mean["q5"] < mean["observed"] < mean["q95"] and 0.05 < mean["p"] < 0.95
    assert command("ppc", f"{name}.nc").out.split()[:6] == ["statistic", "observed", "mean", "5%", "95%", "p"]


@models
def test_prior(name: str, command: Command) -> None:
    done = command("prior", f"{name}.ppl", f"{name}.csv", "--draws", 500, "--json")
    assert done.code == 0 and done.err.startswith("observed: ")
    found = json.loads(done.out)
    latents = {q.name for q in fitfile.read(f"{name}.nc").quantities.values() if q.role == "latent"}
    assert {label.split("[")[0] for label in found["prior"]} >= latents
    assert found["observed"] and found["not_simulated"] is None
    text = command("prior", f"{name}.ppl", f"{name}.csv", "--draws", 500).out
    assert text.startswith("prior ") and "data simulated from the prior, and those observed" in text


@models
def test_simulate(name: str, command: Command, shop: Path) -> None:
    """All but the observed column is as it was; the same seed gives the same bits, another others."""
    done = command("simulate", f"{name}.ppl", f"{name}.csv", "--from", f"{name}.nc", "--seed", 3)
    assert done.code == 0
    made, before = table(done.out), table((shop / f"{name}.csv").read_text())
    y, _ = observed(shop, name)
    assert {key: list(map(str, column)) for key, column in made.items() if key != y}.keys() == before.keys() - {y}
    assert made[y] != before[y]
    again = command("simulate", f"{name}.ppl", f"{name}.csv", "--from", f"{name}.nc", "--seed", 3, "-o", "made.csv")
    assert again.code == 0 and (shop / "made.csv").read_text() == done.out
    assert ppl.load(f"{name}.ppl").condition("made.csv").model.observed
    assert command("simulate", f"{name}.ppl", f"{name}.csv", "--seed", 4).out != done.out


def test_simulate_says_which_values_were_given(command: Command) -> None:
    done = command(
        "simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "theta_raw[Choate]=2", "--set", "mu=1"
    )
    assert [line for line in done.err.splitlines() if "(given)" in line] == [
        "mu = 1 (given)",
        "theta_raw[Choate] = 2 (given)",
    ]


@models
def test_loo_and_compare(name: str, command: Command, shop: Path) -> None:
    done = command("loo", f"{name}.nc", "--json")
    assert (done.code, done.err) == (0, "")
    (found,) = json.loads(done.out)
    elements = [one["elpd"] for one in found["elements"].values()]
    assert len(elements) == len(observed(shop, name)[1]) and found["elpd"] == pytest.approx(sum(elements))
    ks = np.array([np.inf if one["pareto_k"] is None else one["pareto_k"] for one in found["elements"].values()])
    assert 0 < found["p_loo"] < 25 and found["good_k"] == pytest.approx(1 - 1 / np.log10(500), abs=0.01)
    assert found["bad_k"] == (ks[np.isfinite(ks)] > found["good_k"]).sum() < 0.2 * len(ks)  # of 500 draws k is rough
    text = command("loo", f"{name}.nc").out
    assert f"{found['elpd']:.1f}" in text and "observed elements, the largest Pareto k" in text
    (shop / "other.nc").write_bytes((shop / f"{name}.nc").read_bytes())
    places = json.loads(command("compare", f"{name}.nc", "other.nc", "--json").out)
    assert [place["difference"] for place in places] == [0, 0] and places[1]["se_difference"] == 0


@models
def test_draws(name: str, command: Command, shop: Path) -> None:
    done = command("draws", f"{name}.nc")
    assert (done.code, done.err) == (0, "")
    found = table(done.out)
    labels = [label for label, _ in ppl.read_fit(f"{name}.nc").summary()]
    assert list(found) == labels and {len(values) for values in found.values()} == {500}
    assert command("draws", f"{name}.nc", "-o", "draws.parquet").err == "written to draws.parquet\n"
    parquet = pyarrow.parquet.read_table(shop / "draws.parquet")
    assert parquet.column_names == labels
    np.testing.assert_array_equal(parquet.column(0).to_numpy(), np.array(found[labels[0]], dtype=float))


def test_a_better_model_is_first(command: Command, shop: Path) -> None:
    """Against the robust regression a normal one loses by far, and its outliers have bad k or none."""
    text = (shop / "robust_regression.ppl").read_text().replace("StudentT(nu, ", "Normal(").replace("nu  ", "# nu")
    (shop / "normal.ppl").write_text(text)
    assert command("fit", "normal.ppl", "robust_regression.csv", "--draws", 500, "-o", "normal.nc").code == 0
    lines = command("compare", "normal.nc", "robust_regression.nc").out.splitlines()
    assert lines[1].split()[0] == "robust_regression.nc" and lines[2].split()[0] == "normal.nc"
    assert float(lines[2].split()[3]) < -10 < float(lines[2].split()[4])


REFUSED = [
    (("predict", "none.nc", "normal_mean.csv"), 6, "none.nc: there is no such file"),
    (("predict", "eight_schools.csv", "eight_schools.csv"), 6, "not a fit that ppl wrote"),
    (("predict", "poisson.nc", "none.csv"), 6, "none.csv"),
    (("predict", "poisson.nc", "normal_mean.csv"), 5, "the prediction needs the columns `kind`, `traffic`, `years`"),
    (("predict", "poisson.nc", "poisson.csv", "--of", "accident"), 2, "did you mean `accidents`?"),
    (("predict", "poisson.nc", "poisson.csv", "-o", "poisson.csv"), 2, "poisson.csv is an input"),
    (("predict", "poisson.nc", "poisson.csv", "-o", "poisson.nc"), 2, "written as .csv, .parquet, .json"),
    (("predict", "poisson.nc", "poisson.csv", "-o", "no/x.csv"), 6, "the folder no does not exist"),
    (("predict", "varying_intercepts.nc", "levels.csv"), 5, '`village` has levels that the fit has not seen: "Zed"'),
    (("predict", "robust_regression.nc", "robust_regression.csv", "--kind", "mean"), 2, "`StudentT` has no mean in"),
    (("predict", "poisson.nc", "poisson.csv", "--kind", "median"), 2, "'median' is not one of"),
    (("predict", "poisson.nc", "poisson.csv", "--data", "normal_mean.csv"), 5, "not the data of this fit: they lack"),
    (("ppc", "none.nc"), 6, "there is no such file"),
    (("ppc", "poisson.ppl"), 6, "not a fit that ppl wrote"),
    (("ppc", "eight_schools.nc", "--data", "changed.csv"), 5, "they differ in `y`; fit again"),
    (("prior", "flat.ppl", "eight_schools.csv"), 2, "`mu`, `s` cannot be drawn from a prior: give each a proper one"),
    (("prior", "factor.ppl", "eight_schools.csv"), 2, "`mu` cannot be drawn from a prior: a `factor`"),
    (("prior", "eight_schools.ppl"), 4, "no data are given"),
    (("simulate", "flat.ppl", "eight_schools.csv", "--set", "mu=1"), 2, "`s` cannot be drawn from a prior"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "Mu=1"), 2, "did you mean `mu`?"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "mu"), 2, "write NAME=VALUE"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "mu=x"), 2, "neither a number nor a list"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "mu=NaN"), 2, "NaN is not finite"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "mu=[1,2]"), 2, "of shape a single number"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--set", "tau=-1"), 2, "outside the support of `tau`"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "--from", "poisson.nc"), 2, "no fit of this model"),
    (("simulate", "eight_schools.ppl", "eight_schools.csv", "-o", "eight_schools.csv"), 2, "is an input"),
    (("simulate", "twice.ppl", "eight_schools.csv"), 2, "the data cannot be simulated, because `y`"),
    (("loo", "none.nc"), 6, "there is no such file"),
    (("compare", "poisson.nc"), 2, "two fits or more are compared"),
    (("compare", "poisson.nc", "poisson.nc"), 2, "poisson.nc is given twice"),
    (("compare", "poisson.nc", "logistic.nc"), 2, "observes `accidents`, and logistic.nc `survived`"),
    (("compare", "eight_schools.nc", "changed.nc"), 2, "fits of different data: `y` differs"),
    (("draws", "none.nc"), 6, "there is no such file"),
    (("draws", "poisson.nc", "-o", "draws.xlsx"), 2, "tables are written as .csv, .parquet, .json"),
]


@pytest.fixture(scope="module")
def refused(shop: Path) -> None:
    (shop / "flat.ppl").write_text("mu ~ Flat()\ns ~ Flat() > 0\ny ~ Normal(mu, s)\n")
    (shop / "factor.ppl").write_text("mu ~ Normal(0, 1)\nfactor -mu^2\ny ~ Normal(mu, 1)\n")
    (shop / "twice.ppl").write_text("mu ~ Normal(0, 1)\ny ~ Normal(mu, 1)\ny ~ Normal(2*mu, 3)\n")
    (shop / "levels.csv").write_text("village,nitrogen\nAshcombe,50\nZed,60\n")
    text = (shop / "eight_schools.csv").read_text()
    (shop / "changed.csv").write_text(text.replace("28", "29"))
    ppl.load(shop / "eight_schools.ppl").condition(shop / "changed.csv").fit(draws=100).save(shop / "changed.nc")


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED, ids=lambda x: " ".join(x) if type(x) is tuple else "")
@pytest.mark.usefixtures("refused")
def test_refused(arguments: tuple[str, ...], code: int, words: str, command: Command, shop: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in shop.iterdir()}
    done = command(*arguments)
    assert done.code == code and words in done.err, done
    assert done.out == ""
    assert {path.name: path.stat().st_mtime_ns for path in shop.iterdir()} == before


def test_data_too_long_to_keep_are_asked_for(command: Command, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "_MOST_KEPT", 10)
    found = ppl.load("poisson.ppl").condition("poisson.csv").fit(draws=200)
    found.save("long.nc")
    assert found.ppc()
    done = command("ppc", "long.nc")
    assert done.code == 2 and "give them again, --data FILE (poisson.csv)" in done.err
    assert command("ppc", "long.nc", "--data", "poisson.csv").code == 0
    (shop / "shifted.csv").write_text((shop / "poisson.csv").read_text().replace("16.5", "16.6"))
    done = command("ppc", "long.nc", "--data", "shifted.csv")
    assert done.code == 5 and "shifted.csv: not the data of this fit: they differ in `traffic`" in done.err
    with pytest.raises(ppl.DataError, match="differ in `traffic`"):
        ppl.read_fit("long.nc", "shifted.csv")
    assert ppl.read_fit("long.nc", "poisson.csv").loo().total < 0


def test_ppc_of_an_outcome_that_depends_on_another(command: Command, tmp_path: Path) -> None:
    """`v` is simulated given `k` as observed: sd 1 about 3 k, the spread of `k` itself included."""
    rng = np.random.default_rng(1)
    k = rng.poisson(4, 200)
    model = ppl.from_text("r ~ Gamma(2, 1)\nb ~ Normal(0, 5)\nk ~ Poisson(r)\nv ~ Normal(b*k, 1)", "two.ppl")
    fit = model.condition({"k": k, "v": 3 * k + rng.normal(size=200)}).fit(draws=400)
    replicated = fit.replicates(draws=400)
    assert replicated["v"].mean() == pytest.approx(3 * k.mean(), rel=0.01)
    assert (replicated["v"] - 3 * k).std() == pytest.approx(1, abs=0.03)
    assert replicated["k"].mean(axis=0).std() < 0.3  # not given itself
