"""What notebooks show and use: tables, labelled draws, xarray, ArviZ, and cells of models."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl import magic
from tests.look.conftest import without


@pytest.fixture(scope="module")
def schools(fits: dict[str, Path]) -> ppl.Fit:
    return ppl.read_fit(fits["eight_schools"])


def test_summary_and_fit_show_as_tables(schools: ppl.Fit, hostile: Path) -> None:
    table = schools.summary()._repr_html_()
    assert table.count("<tr>") == 1 + 18
    assert "theta[St. Paul&#x27;s]" in table
    assert "verdict: good" in schools._repr_html_()
    shown = ppl.read_fit(hostile)._repr_html_()
    assert "<script" not in shown
    assert "<b>&quot;" not in shown
    assert "&lt;script&gt;alert(0)" in shown


def test_draws_know_their_axes(schools: ppl.Fit) -> None:
    theta = schools.draws["theta"]
    assert isinstance(theta, np.ndarray)
    assert theta.dims == ("draw", "school")
    assert theta.coords["school"][0] == "Choate"
    np.testing.assert_array_equal(theta["Choate"], np.asarray(theta)[:, 0])
    with pytest.raises(KeyError, match="axis school has no 'Choat'; did you mean 'Choate'"):
        theta["Choat"]
    with pytest.raises(KeyError, match="`mu` has 0 axes"):
        schools.draws["mu"]["Choate"]
    for plain in (theta + 1, theta[:5], theta.mean(axis=0), np.exp(theta), theta["Choate"]):
        assert type(plain) is np.ndarray
    assert isinstance(theta.mean(), float)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(theta)), theta)


def test_repr_outside_a_notebook(schools: ppl.Fit) -> None:
    count = len(schools.draws["mu"])
    assert repr(schools) == f"Fit({schools.verdict}; {count:,} draws of mu, tau, theta_raw, theta)"


def test_axes_of_one_name_are_told_apart() -> None:
    fit = ppl.from_text("A[g, g] ~ Normal(0, 1)\ny ~ Normal(A[g, g], 1)").condition({"g": ["a", "b"], "y": [1.0, 2]})
    found = fit.fit(draws=100)
    assert found.draws["A"].dims == ("draw", "g", "g_2")
    np.testing.assert_array_equal(found.draws["A"]["a", "b"], found.draws["A"][:, 0, 1])
    dataset = found.to_xarray()
    assert dataset["A"].dims == ("draw", "g", "g_2")
    np.testing.assert_array_equal(dataset["A"].sel(g="a", g_2="b"), found.draws["A"]["a", "b"])


def test_to_xarray(schools: ppl.Fit) -> None:
    pytest.importorskip("xarray", reason="the extra `notebook` is not installed")
    found = schools.to_xarray()
    np.testing.assert_array_equal(found["theta"].sel(school="Choate"), schools.draws["theta"]["Choate"])
    assert found["theta"].attrs["role"] == "derived"
    assert found["mu"].dims == ("draw",)


def test_to_arviz(schools: ppl.Fit, hostile: Path) -> None:
    arviz = pytest.importorskip("arviz", reason="the extra `notebook` is not installed")
    data = schools.to_arviz()
    assert isinstance(data, arviz.InferenceData)
    assert data.posterior["theta"].dims == ("chain", "draw", "school")
    np.testing.assert_array_equal(data.observed_data["y"], [28, 8, -3, 7, -1, 1, 18, 12])
    assert ppl.read_fit(hostile).to_arviz().posterior.sizes["größe"] == 4


def test_without_the_extra(schools: ppl.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "xarray", "arviz")
    with pytest.raises(ppl.UsageError, match=r"xarray, which is not installed: pip install 'ppl\[notebook\]'"):
        schools.to_xarray()
    with pytest.raises(ppl.UsageError, match=r"needs ArviZ before version 1: pip install 'ppl\[notebook\]'"):
        schools.to_arviz()


# -- %%ppl -------------------------------------------------------------------------------------------------------------

CELL = "mu ~ Normal(0, 5)\ny ~ Normal(mu, 1)\n"


class Shell:
    """As much of IPython's shell as the extension asks for."""

    def __init__(self) -> None:
        self.user_ns: dict[str, object] = {"frame": {"y": [1.0, 2.0, 3.0]}}
        self.magics: dict[str, object] = {}

    def register_magic_function(self, function: object, magic_kind: str, magic_name: str) -> None:
        assert magic_kind == "cell"
        self.magics[magic_name] = function


def test_a_cell_is_fitted(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    magic.load_ipython_extension(shell)
    fit = shell.magics["ppl"]("frame --draws 200 --seed 3 -o mine", CELL)  # type: ignore[operator]
    assert fit is shell.user_ns["mine"]
    assert fit.draws["mu"].shape == (200,)
    assert fit.record.seed == 3
    assert capsys.readouterr() == ("", "")


def test_a_cell_without_data_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    assert magic.run(shell, "", CELL) is None
    assert isinstance(shell.user_ns["model"], ppl.Model)
    assert "mu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("frame", "mu ~ Nrmal(0, 1)", "<cell>:1:6: error: there is no distribution `Nrmal`"),
        ("fram", CELL, "fram: there is no such file"),
        ("frame --drwas 3", CELL, "%%ppl: No such option"),
        ("frame --seed x", CELL, "%%ppl: Invalid value for '--seed'"),
        ("frame '", CELL, "No closing quotation"),
        ("frame --draws 3", CELL, "draws must be a whole number between 100"),
    ],
)
def test_mistakes_of_a_cell_are_messages(
    line: str, cell: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert magic.run(Shell(), line, cell) is None
    found = capsys.readouterr()
    assert found.out == ""
    assert message in found.err
    assert "Traceback" not in found.err


def test_ipython_loads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that the documentation gives."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # IPython warns where another environment is the active one
    ipython = pytest.importorskip("IPython.core.interactiveshell", reason="the extra `notebook` is not installed")
    shell = ipython.InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "ppl.magic")
        shell.user_ns["frame"] = {"y": [1.0, 2.0, 3.0]}
        shell.run_cell_magic("ppl", "frame --draws 100", CELL)
        assert shell.user_ns["fit"].verdict == "good"
    finally:
        ipython.InteractiveShell.clear_instance()
