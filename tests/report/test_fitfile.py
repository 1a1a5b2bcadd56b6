"""Fits written and read again: any name, any label, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ppl


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
        fit("x[70000] ~ Normal(0, 1)\ny ~ Normal(sum(x), 1)", {"y": 1.0}, draws=100)
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
