"""Parquet files read in row groups: the batches are those of a fit in memory, and so is what is found."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ppl
from ppl.data.row_groups import RowStream, groups_of, meant, sampled
from ppl.infer.stochastic.build import Sample, build
from ppl.infer.stochastic.feed import Feed
from ppl.infer.stochastic.wish import Wish
from ppl.infer.watch import Watch
from ppl.report.given import keep
from ppl.use import loo as held_out
from tests.use.conftest import run

LEVELS = """X = columns("x_*")
b[X] ~ Normal(0, 1)
s ~ HalfNormal(1)
a[g] ~ Normal(0, s)
y ~ Bernoulli(logit = X @ b + a[g])
"""
FACTOR = """X = columns("x_*")
W[1, X] ~ Param(); b[X] ~ Param(); s ~ Param(1) > 0
z[rows, 1] ~ Normal(0, 1)
twice = 2 * z
X ~ Normal(b + z @ W, s)
"""
ROWS, GROUP = 3000, 170


def written(path: Path, columns: dict[str, Any], group: int = GROUP) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


@pytest.fixture(scope="module")
def coins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=(ROWS, 3)), np.sort(rng.integers(0, 5, ROWS))  # the last level is met at the end alone
    logit = x @ [1.0, -0.5, 0.2] + np.array([-1.0, 0.0, 1.0, 0.5, -0.5])[g]
    y = rng.random(ROWS) < 1 / (1 + np.exp(-logit))
    columns = {f"x_{i}": x[:, i] for i in range(3)} | {"g": [f"level {k}" for k in g], "y": y.astype(int)}
    return written(tmp_path_factory.mktemp("stream") / "coins.parquet", columns | {"unused": ["?"] * ROWS})


@pytest.fixture(scope="module")
def factors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(ROWS, 1)) @ np.array([[1.0, -1.0, 0.5]]) + rng.normal(0, 0.5, (ROWS, 3)) + [1.0, 2.0, 3.0]
    return written(tmp_path_factory.mktemp("stream") / "factors.parquet", {f"x_{i}": x[:, i] for i in range(3)})


def feed_of(text: str, path: Path, count: int = 128, **asked: Any) -> tuple[Feed, RowStream]:
    model = ppl.from_text(text)
    stream = sampled(groups_of(path, text))
    posterior = model.condition(ppl.stream(path))
    wish = Wish(batch_size=count, **asked)
    built = build(posterior.model, posterior.joint, wish, 1, Sample(stream.groups.rows, stream.drawn))
    return Feed(model.names, stream, built, 1, 50), stream


def test_only_the_columns_that_a_model_may_mean_are_read(coins: Path) -> None:
    assert groups_of(coins, LEVELS).names == ("x_0", "x_1", "x_2", "g", "y")
    assert meant(["a1", "a2", "a3", "b"], "X = columns(a1..a3)") == ["a1", "a2", "a3"]


def test_the_sample_has_every_level(coins: Path) -> None:
    stream = sampled(groups_of(coins, LEVELS))
    whole = pq.read_table(coins)
    assert stream.data.columns["g"].levels == tuple(f"level {k}" for k in range(5))
    assert stream.drawn == len(stream.places) == 500
    assert stream.data.columns["x_1"].values[: stream.drawn].tolist() == whole["x_1"].take(stream.places).to_pylist()
    rare = {"x": np.arange(5000.0), "k": ["common"] * 4999 + ["rare"]}
    path = written(coins.parent / "rare.parquet", rare)
    assert sampled(groups_of(path, "x k")).data.columns["k"].levels == ("common", "rare")


def test_an_epoch_has_every_row_once(tmp_path: Path) -> None:
    """Whatever the groups are, and values of a row stay together."""
    x = np.arange(ROWS) * 1.0
    path = written(tmp_path / "numbers.parquet", {"x": x, "y": 2 * x + 1})
    feed, _ = feed_of("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny ~ Normal(a + b * x, 1)\n", path)
    feed._block_rows = 400
    assert feed.batches == ROWS // 128
    epochs = []
    for epoch in range(2):
        batches = [feed(epoch * feed.batches + i, np.float64) for i in range(feed.batches)]
        one, other = (np.concatenate([batch[1 + k] for batch in batches]).reshape(-1) for k in (0, 1))
        xs, ys = (one, other) if (one < ROWS).all() else (other, one)
        np.testing.assert_array_equal(ys, 2 * xs + 1)
        assert len(np.unique(xs)) == len(xs) == feed.batches * 128
        assert set(xs) <= set(x)
        epochs.append(xs)
    assert not np.array_equal(*epochs)
    fresh, _ = feed_of("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny ~ Normal(a + b * x, 1)\n", path)
    fresh._block_rows = 400
    for one, other in zip(fresh(30, np.float64), feed(30, np.float64), strict=True):  # whatever came before
        np.testing.assert_array_equal(one, other)


def test_rows_held_out_are_in_no_batch(factors: Path) -> None:
    feed, stream = feed_of(FACTOR, factors, amortise=("z",), hidden=(3,), validation=0.1)
    held_out = stream.data.columns["x_0"].values[feed._built.plan.held_out]
    assert len(held_out) == 300
    seen = np.concatenate([feed(i, np.float64)[1][:, 0] for i in range(feed.batches)])
    assert len(seen) == (2700 // 128) * 128
    assert not np.isin(held_out, seen).any()


def test_the_posterior_is_that_of_the_same_rows_in_memory(coins: Path) -> None:
    model = ppl.from_text(LEVELS)
    asked: dict[str, Any] = {"draws": 2000, "learning_rate": 0.03, "epochs": 60}
    streamed = model.condition(ppl.stream(coins)).fit(**asked)
    whole = model.condition(coins).fit(stochastic=True, **asked)
    for name in ("b", "a", "s"):
        ours, theirs = streamed.record.quantities[name], whole.record.quantities[name]
        assert (np.abs(ours.mean - theirs.mean) < 0.5 * theirs.sd).all()
        assert np.log(ours.sd / theirs.sd) == pytest.approx(0 * ours.sd, abs=0.4)
    deep = streamed.record.deep
    assert deep is not None and deep.rows == ROWS and "as a stream" in deep.why
    assert streamed.elbo == pytest.approx(whole.elbo, abs=150)  # estimated from 500 rows of 3,000


def test_an_autoencoder_of_a_stream(factors: Path, tmp_path: Path) -> None:
    """The file holds what rows share; rows are encoded afterwards, with what was saved."""
    asked: dict[str, Any] = {"amortise": "z", "encoder": (), "epochs": 60, "draws": 100, "learning_rate": 0.01}
    model = ppl.from_text(FACTOR)
    fit = model.condition(ppl.stream(factors)).fit(**asked)
    whole = model.condition(factors).fit(**asked)
    assert set(fit.record.quantities) == {"W", "b", "s"}
    for name in ("W", "b", "s"):
        ours, theirs = (each.record.quantities[name].mean for each in (fit, whole))
        turned = np.sign(ours.flat[0] * theirs.flat[0]) if name == "W" else 1.0
        np.testing.assert_allclose(ours, turned * theirs, atol=0.06)
    fit.save(tmp_path / "fit.nc")
    encoded = ppl.read_fit(tmp_path / "fit.nc").encode(factors)
    assert len(encoded["z[1]_mean"]) == ROWS
    for name, values in fit.encode(ppl.stream(factors)).items():  # a row group at a time
        np.testing.assert_allclose(values, encoded[name], rtol=1e-9)
    np.testing.assert_allclose(np.abs(encoded["z[1]_mean"]), np.abs(whole.encode(factors)["z[1]_mean"]), atol=0.15)


class Stopping(Watch):
    def tell(self) -> None:
        if self.evaluations > 150 and not self.stopped:
            self.stopped = True
            raise KeyboardInterrupt


def test_same_seed_same_bits_and_resumed(coins: Path, tmp_path: Path) -> None:
    posterior = ppl.from_text(LEVELS).condition(ppl.stream(coins))
    asked: dict[str, Any] = {"draws": 100, "learning_rate": 0.01, "epochs": 10}
    whole = posterior.fit(**asked)
    kept = tmp_path / "kept.npz"
    cut = posterior.fit(**asked, checkpoint=kept, watch=Stopping())
    assert not np.array_equal(cut.draws["b"], whole.draws["b"])
    again = ppl.from_text(LEVELS).condition(ppl.stream(coins)).fit(**asked, resume=kept)
    np.testing.assert_array_equal(again.draws["b"], whole.draws["b"])
    other = written(tmp_path / "coins.parquet", pq.read_table(coins).to_pydict(), 300)
    with pytest.raises(ppl.UsageError, match="other"):
        ppl.from_text(LEVELS).condition(ppl.stream(other)).fit(**asked, resume=kept)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a ~ Normal(0, 1)\nfor i in 2..rows { y[i] ~ Normal(a * y[i-1], 1) }\n",
            "nothing observed in this model goes",
        ),
        (
            "a ~ Normal(0, 1)\nx ~ Normal(a, 1)\nfor i in 2..rows { y[i] ~ Normal(a * y[i-1], 1) }\n",
            "many rows at once",
        ),
        ("a ~ Normal(0, 1 / rows)\ny ~ Normal(a, 1)\n", "reckons with `rows`"),
        ("a ~ Normal(0, 1)\nz[rows] ~ Normal(a, 1)\ny ~ Normal(z, 1)\n", "give it an encoder"),
    ],
)
def test_what_cannot_be_streamed_is_refused(text: str, words: str, tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(size=1000)
    path = written(tmp_path / "y.parquet", {"y": y, "x": y})
    with pytest.raises(ppl.UsageError, match=words):
        ppl.from_text(text).condition(ppl.stream(path)).fit(epochs=1)


def test_missing_outcomes_say_nothing_and_missing_predictors_are_refused(tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(1.5, 1.0, 2000)
    gaps = [None if i % 7 == 0 else value for i, value in enumerate(y)]
    data = ppl.stream(written(tmp_path / "y.parquet", {"y": gaps, "x": gaps[::-1]}))
    fit = ppl.from_text("a ~ Normal(0, 1)\ny ~ Normal(a, 1)\n").condition(data).fit(draws=500, learning_rate=0.01)
    seen = np.array([value for value in gaps if value is not None])
    found = fit.record.quantities["a"]
    assert set(fit.record.quantities) == {"a"}
    assert found.mean == pytest.approx(seen.sum() / (1 + len(seen)), abs=0.01)
    assert found.sd == pytest.approx((1 + len(seen)) ** -0.5, rel=0.06)
    imputed = "a ~ Normal(0, 1)\nx ~ Normal(0, 1)\ny ~ Normal(a * x, 1)\n"
    with pytest.raises(ppl.UsageError, match="cells that are missing"):
        ppl.from_text(imputed).condition(data).fit(epochs=1)


def test_other_files_are_refused(coins: Path, tmp_path: Path) -> None:
    model = ppl.from_text(LEVELS)
    (tmp_path / "data.csv").write_text("y\n1\n")
    with pytest.raises(ppl.UsageError, match="no Parquet file"):
        model.condition(ppl.stream(tmp_path / "data.csv"))
    with pytest.raises(ppl.UsageError, match="one Parquet file alone"):
        model.condition(ppl.stream(coins), {"k": 1})
    with pytest.raises(ppl.FileError, match=r"none\.parquet"):
        model.condition(ppl.stream(tmp_path / "none.parquet"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not so")
    with pytest.raises(ppl.DataError, match="no Parquet file, or it is damaged"):
        model.condition(ppl.stream(tmp_path / "bad.parquet"))


def test_large_files_are_streams_unasked(coins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ppl.from_text(LEVELS).condition(coins).behind is None
    monkeypatch.setattr("ppl.data.row_groups.LARGE", 1000)
    assert ppl.from_text(LEVELS).condition(coins).behind is not None


@pytest.mark.parametrize("streamed", [False, True])
def test_memory_is_flat_over_epochs(streamed: bool, factors: Path) -> None:
    """What Python and NumPy hold after each look at a training."""
    held: list[int] = []

    class Looking(Watch):
        def tell(self) -> None:
            if "epoch" in self.step:
                held.append(tracemalloc.get_traced_memory()[0])

    posterior = ppl.from_text(FACTOR).condition(ppl.stream(factors) if streamed else factors)
    tracemalloc.start()
    try:
        posterior.fit(amortise="z", encoder=(4,), epochs=30, draws=100, learning_rate=0.01, watch=Looking())
    finally:
        tracemalloc.stop()
    later = held[len(held) // 4 :]
    assert len(later) > 10
    assert max(later[len(later) // 2 :]) - max(later[: len(later) // 2]) < 100_000  # bytes


def in_memory(fit: Any, text: str, path: Path) -> Any:
    """The same draws beside all rows, which are read whole: what goes through the file in blocks must agree with it."""
    whole = ppl.from_text(text).condition(path)
    return replace(fit, record=replace(fit.record, given=keep(whole.data, whole.model)), posterior=whole, rows=None)


@pytest.mark.parametrize("gaps", [False, True])
def test_loo_of_a_stream_goes_through_all_rows(
    gaps: bool, coins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elements, their order and their names are those of a fit in memory, whatever the blocks are."""
    monkeypatch.setattr("ppl.use.loo_stream._FEWEST", 700)
    monkeypatch.setattr("ppl.use.loo_stream._NUMBERS", 1)
    path, text = coins, LEVELS.replace("y ~", "x_0 ~ Normal(b[1], 1)\ny ~")
    if gaps:
        table = pq.read_table(coins).to_pydict()
        table["y"] = [None if i % 11 == 0 else y for i, y in enumerate(table["y"])]
        path, text = written(tmp_path / "gaps.parquet", table), LEVELS
    fit = ppl.from_text(text).condition(ppl.stream(path)).fit(draws=200, learning_rate=0.03, epochs=3)
    expected = in_memory(fit, text, path)
    ours, theirs = (held_out.hold_out(x.record, x._model(), "fit.nc", x.rows) for x in (fit, expected))
    assert len(ours.labels) == len(theirs.labels) == len(ours.loo.elpd) == (2727 if gaps else 6000)
    np.testing.assert_allclose(ours.loo.elpd, theirs.loo.elpd, rtol=1e-9)
    np.testing.assert_allclose(ours.loo.k, theirs.loo.k, atol=1e-6)
    assert list(ours.labels) == list(theirs.labels)
    fit.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc", path)
    np.testing.assert_array_equal(again.loo().elpd, ours.loo.elpd)


def test_what_looks_at_rows_of_a_stream_says_which(coins: Path, tmp_path: Path) -> None:
    fit = ppl.from_text(LEVELS).condition(ppl.stream(coins)).fit(draws=100, learning_rate=0.03, epochs=1)
    (check,) = fit.ppc()
    assert check.rows == "505 of 3,000 rows"
    assert len(fit.replicates(draws=20)["y"][0]) == 505
    figure = fit.plot("checks")
    assert figure._suptitle.get_text() == "505 of 3,000 rows of the stream"
    with pytest.raises(ppl.UsageError, match=r"`fit.loo\(\)` and `fit.evaluate\(DATA\)` go through all"):
        fit.log_likelihood()
    with pytest.raises(ppl.UsageError, match="only some rows are in memory"):
        fit.posterior.log_density({"b": np.zeros(3), "s": 1.0, "a": np.zeros(5)})  # type: ignore[union-attr]
    fit.save(tmp_path / "fit.nc")
    with pytest.raises(ppl.UsageError, match=r"holds 505 of 3,000 rows of the stream.*--data FILE \(.*coins.parquet\)"):
        ppl.read_fit(tmp_path / "fit.nc").loo()
    assert ppl.read_fit(tmp_path / "fit.nc").ppc()[0].rows == "505 of 3,000 rows"
    shorter = written(tmp_path / "shorter.parquet", pq.read_table(coins).slice(0, 2999).to_pydict())
    with pytest.raises(ppl.DataError, match="not the data of this fit: 2,999 rows, not 3,000"):
        ppl.read_fit(tmp_path / "fit.nc", shorter)
    table = pq.read_table(coins).to_pydict()
    other = written(tmp_path / "other.parquet", {**table, "y": table["y"][::-1]})
    with pytest.raises(ppl.DataError, match="differ in `x_0`"):
        ppl.read_fit(tmp_path / "fit.nc", other)
    with pytest.raises(ppl.UsageError, match="give its path"):
        ppl.read_fit(tmp_path / "fit.nc", {"y": np.zeros(3000)})


def test_commands_that_look_at_rows_of_a_stream(coins: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"draws": 100, "learning_rate": 0.03, "epochs": 1}
    plain = LEVELS.replace(" + a[g]", "").replace("s ~ HalfNormal(1)\na[g] ~ Normal(0, s)\n", "")
    names = [str(tmp_path / f"{name}.nc") for name in ("levels", "plain", "whole")]
    for name, text, data in zip(names, (LEVELS, plain, plain), (*[ppl.stream(coins)] * 2, coins), strict=True):
        ppl.from_text(text).condition(data).fit(**asked).save(name)

    def command(*arguments: str) -> tuple[int, str]:
        done = run(*arguments)
        return done.code, done.out or done.err

    assert command("loo", names[0])[0] == 2
    code, told = command("loo", names[0], "--data", str(coins))
    assert code == 0 and "3,000 observed elements" in told
    code, told = command("compare", *names, "--data", str(coins))  # the levels that samples know differ
    assert code == 0 and "difference" in told
    assert command("compare", *names)[0] == 2
    code, told = command("ppc", names[0], "--json")
    assert code == 0 and json.loads(told)["y"]["share of ones"]["rows"] == "505 of 3,000 rows"
    code, told = command("ppc", names[0], "--data", str(coins))
    assert code == 0 and "of 505 of 3,000 rows" in told
    page = tmp_path / "page.html"
    assert command("report", names[0], "-o", str(page))[0] == 0
    assert "This fit of all holds 505 of 3,000 rows" in page.read_text()


def test_rows_whose_latents_are_not_kept_have_no_likelihood_of_their_own(factors: Path) -> None:
    fit = ppl.from_text(FACTOR).condition(ppl.stream(factors)).fit(amortise="z", encoder=(), epochs=1, draws=100)
    for refused in (fit.loo, fit.ppc, fit.replicates):
        with pytest.raises(ppl.UsageError, match=r"no draws of `z`.*`ppl evaluate`"):
            refused()
    assert len(fit.evaluate(factors, draws=10).by_row) == ROWS


def test_large_data_are_not_simulated_by_halves(coins: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ppl.data.row_groups.LARGE", 1000)
    (tmp_path / "coins.ppl").write_text(LEVELS)
    for name in ("simulate", "prior"):
        done = run(name, tmp_path / "coins.ppl", coins)
        assert done.code == 2 and "too large to be read whole" in done.err


def test_splines_of_a_stream_reach_over_all_rows(tmp_path: Path) -> None:
    """The ends of the column stand in rows of their own, which the sample has, each once."""
    rng = np.random.default_rng(6)
    x = rng.normal(0, 2, 9000)
    y = np.sin(x) + rng.normal(0, 0.3, 9000)
    path = written(tmp_path / "waves.parquet", {"x": x, "y": y, "z": rng.integers(0, 400, 9000)}, 800)
    text = "B = bspline(x, 8)\nw[8] ~ Normal(0, 2)\ny ~ Normal(B @ w + 0 * z, 0.3)\n"
    stream = sampled(groups_of(path, text))
    held = stream.data.columns["x"].values
    assert held.min() == x.min() and held.max() == x.max()
    where = stream.data.columns["x"].rows
    assert where is not None and len(np.unique(where)) == len(where) < 600  # not a row for each whole number of z
    np.testing.assert_array_equal(held, x[where])
    fit = ppl.from_text(text).condition(ppl.stream(path)).fit(learning_rate=0.03)
    at = np.array([-3.0, -1.0, 0.5, 2.0])
    found = fit.predict({"x": at, "z": np.zeros(4)}, kind="mean")["y"]
    np.testing.assert_allclose(found.mean(axis=0), np.sin(at), atol=0.1)
    small = written(tmp_path / "few.parquet", {"x": x[:40], "y": y[:40], "z": np.zeros(40)}, 7)
    assert len(sampled(groups_of(small, text)).data.columns["x"].values) == 40


def test_levels_of_an_index_are_all_in_the_sample(tmp_path: Path) -> None:
    numbers = np.arange(2000) // 4
    path = written(tmp_path / "levels.parquet", {"g": numbers, "y": numbers * 1.0})
    assert len(np.unique(sampled(groups_of(path, "y ~ Normal(a[g], 1)")).data.columns["g"].values)) == 500
    assert len(np.unique(sampled(groups_of(path, "y ~ Normal(a * g, 1)")).data.columns["g"].values)) < 500
