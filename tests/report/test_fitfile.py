"""Fits written and read again: any name, any label, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import arviz as az
import h5py
import numpy as np
import pandas as pd
import pytest

import ppl
from ppl.data.dataset import read
from ppl.report.given import fingerprints


def fit(text: str, data: dict[str, object], **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition(data).fit(**options)  # type: ignore[arg-type]


def assert_survives(found: ppl.Fit, path: Path) -> None:
    found.save(path)
    again = ppl.read_fit(path)
    assert dict(again.summary(True)) == dict(found.summary(True))
    for name, draws in found.draws.items():
        np.testing.assert_array_equal(again.draws[name], draws)


NAMES = ["draw", "chain", "statistic", "rows", "proposal", "`.`", "`..`", "`a b`", "`a/b`", "é", "`draw_values`"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives(name: str, tmp_path: Path) -> None:
    found = fit(f"{name} ~ Normal(0, 1)\ny ~ Normal({name}, 1)", {"y": [1.0, 2]}, draws=100)
    assert_survives(found, tmp_path / "fit.nc")


@pytest.mark.parametrize(("one", "other"), [("draw", "draw_values"), ("`a/b`", "`a∕b`"), ("`.`", "`_`")])
def test_names_that_look_alike_survive(one: str, other: str, tmp_path: Path) -> None:
    text = f"{one} ~ Normal(0, 1)\n{other} ~ Normal(5, 1)\ny ~ Normal({one} + {other}, 1)"
    assert_survives(fit(text, {"y": [1.0, 2]}, draws=100), tmp_path / "fit.nc")


@pytest.mark.parametrize("label", ["a\0b", "a\ud800b"])
def test_labels_that_no_file_can_hold_are_refused(label: str, tmp_path: Path) -> None:
    found = fit("t[g] ~ Normal(0, 1)\ny ~ Normal(t[g], 1)", {"y": [1.0, 2], "g": [label, "c"]}, draws=100)
    with pytest.raises(ppl.FileError, match="no NUL"):
        found.save(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    """A simulated name too long to keep unasked is named in the fit, the table and the file; what follows from it is
    there all the same."""
    text = "m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nnew[300_000] ~ Normal(m, 2)\nmiddle = mean(new)".replace("_", "")
    found = fit(text, {"y": [1.0, 2]}, draws=100)
    assert found.left_out == ("new",)
    assert "new" not in found.draws
    np.testing.assert_allclose(found.draws["middle"], found.draws["m"], atol=0.03)
    assert "too long: new (`ppl fit --all` keeps them)" in str(found.summary())
    found.save(tmp_path / "fit.nc")
    assert ppl.read_fit(tmp_path / "fit.nc").left_out == ("new",)


def test_long_curves_are_kept_whatever_the_weights() -> None:
    """Uneven weights mean many proposals; a derived name of a few hundred numbers is there all the same."""
    text = "t ~ HalfCauchy(1)\nz ~ Normal(0, 1)\ny ~ Normal(t*z, 1)\ncurve = t*grid"
    found = fit(text, {"y": 3.0, "grid": np.arange(500.0)})
    assert found.left_out == ()
    np.testing.assert_allclose(found.draws["curve"][:, 7], 7 * found.draws["t"])


def test_what_does_not_fit_into_memory_is_refused_before_it_is_made() -> None:
    text = "m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nq[100000000] ~ Normal(0, 1)"
    assert fit(text, {"y": 1.0}, draws=100).left_out == ("q",)
    with pytest.raises(ppl.UsageError, match="a fit may hold 2; the longest is `q`"):
        fit(text, {"y": 1.0}, draws=100, keep_all=True)
    with pytest.raises(ppl.UsageError, match="70,000 unknown numbers: a fit takes up to 50,000"):
        fit("x[70000] ~ Normal(0, 1)\ny ~ Normal(sum(x), 1)", {"y": 1.0}, draws=100, guide="meanfield")
    with pytest.raises(ppl.UsageError, match="20,000 unknown numbers: at most 3,000 draws of so many fit"):
        fit("x[20000] ~ Normal(0, 1)\ny ~ Normal(x, 1)", {"y": np.zeros(20000)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "seed must be a whole number between 0 and 4,294,967,295, not -1"),
        ({"seed": 1.5}, "seed must be a whole number .*, not 1.5"),
        ({"seed": None}, "seed must be a whole number .*, not None"),
        ({"draws": "a"}, "draws must be a whole number between 100 and 1,000,000, not 'a'"),
        ({"draws": 500.5}, "draws must be a whole number .*, not 500.5"),
        ({"draws": True}, "draws must be a whole number .*, not True"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], words: str) -> None:
    with pytest.raises(ppl.UsageError, match=words):
        fit("q ~ Beta(1, 1)\ny ~ Bernoulli(q)", {"y": 1}, **options)


@pytest.mark.parametrize("value", ["a", None, [[1, 2], [3]]])
def test_values_that_are_no_numbers(value: object) -> None:
    posterior = ppl.from_text("q ~ Beta(1, 1)\ny ~ Bernoulli(q)").condition({"y": 1})
    with pytest.raises(ppl.UsageError, match="`q`"):
        posterior.log_density({"q": value})


# -- the data in the file ----------------------------------------------------------------------------------------------

TABLE = pd.DataFrame({
    "y": [1.0, None, 3, 4], "g": ["b", "a", None, "b"], "ok": [True, False, True, True], "k": [1, 2, 3, 4],
})  # fmt: skip
OVER = pd.DataFrame({"g": ["a", "b"], "v": [1.5, 2.0]})


def test_data_stand_in_the_file_as_they_were_read(tmp_path: Path) -> None:
    """Text with gaps, truth values, whole numbers, lists from elsewhere, an empty one, a table over levels."""
    text = "b ~ Normal(0, 1)\ny ~ Normal(b*ok + s*k + sum(M), 1)\ng ~ Categorical([0.5, 0.5])\nE = L\n"
    text += "a[h] ~ Normal(v, 1)\nu ~ Normal(a[h], 1)\n"
    table = TABLE.assign(h=["p", "q", "q", "p"], u=[0.1, 0.2, 0.3, 0.4], unused=1)
    others = {"s": 2.5, "M": [[1, 2], [3, 4]], "L": []}
    over = OVER.rename(columns={"g": "h"}).assign(h=["p", "q"])
    found = ppl.from_text(text, "m.ppl").condition(table, others, h=over).fit(draws=100)
    found.save(tmp_path / "fit.nc")
    kept, again = found.record.given, ppl.read_fit(tmp_path / "fit.nc").record.given
    assert kept.data is not None and again.data is not None
    assert set(again.data.columns) == {"y", "g", "ok", "k", "h", "u", "s", "M", "L"}
    assert kept.fingerprints == again.fingerprints and "h=v" in kept.fingerprints
    for name, column in kept.data.columns.items():
        other = again.data.columns[name]
        assert (column.kind, column.axes, column.levels, column.file) == (
            other.kind, other.axes, other.levels, other.file
        ), name  # fmt: skip
        assert column.values.dtype == other.values.dtype
        np.testing.assert_array_equal(column.values, other.values)
        assert (column.missing is None) == (other.missing is None)
    inference = az.from_netcdf(tmp_path / "fit.nc")
    assert {"posterior", "observed_data", "constant_data", "sample_stats"} <= set(inference.groups())
    assert inference.constant_data["k"].to_numpy().tolist() == [1, 2, 3, 4]


def test_a_file_without_its_data_is_damaged(tmp_path: Path) -> None:
    found = fit("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": [1.0, 2]}, draws=100)
    found.save(tmp_path / "fit.nc")
    with h5py.File(tmp_path / "fit.nc", "a") as file:
        del file["constant_data"]
    with pytest.raises(ppl.FileError, match="not a fit that ppl wrote, or a damaged one"):
        ppl.read_fit(tmp_path / "fit.nc")
    found.save(tmp_path / "fit.nc")
    with h5py.File(tmp_path / "fit.nc", "a") as file:
        file.attrs["ppl_format"] = 2
    with pytest.raises(ppl.FileError, match="written in format 2, and this ppl reads format 3; fit again"):
        ppl.read_fit(tmp_path / "fit.nc")


def test_fingerprints_tell_data_apart() -> None:
    def marks(**change: object) -> dict[str, str]:
        table = TABLE.assign(**change)
        return fingerprints(read([table]))

    same, other = marks(), marks(y=[1.0, None, 3, 5])
    assert same == marks() and same["y"] != other["y"] and same["g"] == other["g"]
    assert marks(y=[1.0, 2, 3, 4])["y"] != same["y"] != marks(y=[1.0, 3, None, 4])["y"]
    assert marks(g=["b", "a", None, "c"])["g"] != same["g"] and marks(k=[1.0, 2, 3, 4])["k"] != same["k"]
