"""The public Python calls, and the one place that runs the phases in a row.

print(ppl.load("eight_schools.ppl").condition("schools.csv").fit(seed=1).summary())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.compile.joint import LogJoint, compile_joint
from ppl.data import dataset
from ppl.data.dataset import Dataset
from ppl.data.row_groups import RowStream, stream_of
from ppl.infer import ladder, pipeline
from ppl.infer.draws import generator
from ppl.infer.stochastic import choose
from ppl.infer.verdict import FROM_BEST, is_worse
from ppl.infer.watch import Watch, watched
from ppl.language.errors import UsageError, VerdictError
from ppl.language.files import from_string, read_source
from ppl.language.parser import parse
from ppl.language.source import Source
from ppl.language.syntax import Program
from ppl.model import graph
from ppl.model.behind import Behind
from ppl.model.names import Names, find_names
from ppl.model.settle import settle
from ppl.numeric.threads import one_blas_thread
from ppl.report.given import keep
from ppl.report.quantities import left_out
from ppl.report.record import Checked, Record
from ppl.rewrite.guards import without_needless_guards
from ppl.rewrite.sum_out import SummedOut, sum_out
from ppl.use.arguments import whole
from ppl.use.ladder_fit import fitted, rungs_of

if TYPE_CHECKING:
    from ppl.infer.loo import Loo
    from ppl.report import labelled, ranks
    from ppl.report.summary import Summary
    from ppl.use import checks
    from ppl.use.evaluate import Evaluation
    from ppl.use.predicted import Predictions

_PRIOR = 100  # a stream of random numbers, apart from those of a fit


def load(path: str | PathLike[str]) -> Model:
    """The model in a file. Raises `FileError` if it cannot be read, `ModelError` with all its mistakes."""
    return _model(read_source(path))


def from_text(text: str, name: str = "<model>") -> Model:
    """The model that a text says; `name` stands for the file in messages."""
    return _model(from_string(text, name))


def _model(source: Source) -> Model:
    program = parse(source)
    return Model(program, find_names(program))


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose names, functions and families are in order; it has not met any data."""

    program: Program
    names: Names = field(repr=False)

    @staticmethod
    def from_text(text: str, name: str = "<model>") -> Model:
        """As `ppl.from_text`."""
        return from_text(text, name)

    def condition(self, *data: Any, **tables: Any) -> Posterior:
        """The posterior given data: paths (CSV, TSV, Parquet, JSON, npz), mappings of names to arrays, data frames.

        `condition("homes.csv", county="counties.csv")` adds a table with a row for each level of `county`. Of
        `ppl.stream("large.parquet")`, and of a Parquet file above 2 GB, few row groups are in memory at a time.

        Raises `DataError` and `FileError` for data that cannot be read, `ModelError` where model and data do not fit.
        """
        streamed = stream_of(data, tables, self.program.source.text)
        return self._given(dataset.read(data, tables) if streamed is None else streamed.data, streamed)

    def _given(self, data: Dataset, streamed: RowStream | None = None) -> Posterior:
        settled = without_needless_guards(settle(self.names, data))
        summed = sum_out(settled)
        behind = None if streamed is None else Behind(streamed, self.names)
        return Posterior(settled, compile_joint(settled, summed), summed, data, behind)

    def calibrate(
        self, *data: Any, rounds: int = 64, seed: int = 1, progress: Callable[[int], None] | None = None, **tables: Any
    ) -> ranks.Calibration:
        """Whether fits of this model are right on average: simulation-based calibration (Talts et al. 2018).

        In each round true values of the latents are drawn from their priors, observed names are simulated given these
        and all other data, and the model is fitted to them; the ranks of the true values among the draws must be
        uniform. Latents without a proper prior are drawn from the posterior given the data instead, and then ranks are
        only nearly uniform. `progress` is called with the number of each round that is done. Raises `UsageError` where
        observed names cannot be simulated, and what `condition` and `fit` raise.
        """
        from ppl.use.calibrate import calibrate

        rounds, seed = whole("rounds", rounds, 8, 10_000), whole("seed", seed, 0, 2**32 - 1)
        return calibrate(dataset.read(data, tables), self._given, rounds, seed, progress)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """A model given data. `model` is its graph and terms, `joint` the compiled log joint density."""

    model: graph.Model = field(repr=False)
    joint: LogJoint = field(repr=False)
    summed: SummedOut | None = field(repr=False)
    data: Dataset = field(repr=False)  # as it was read
    behind: Behind | None = field(repr=False, default=None)  # of a stream, of which the data are a few rows

    @property
    def warnings(self) -> tuple[str, ...]:
        """What can be seen to go wrong before anything is fitted: a sentence each. Worked out at each call."""
        from ppl.compile.warnings import warnings_of

        return warnings_of(self.model, self.joint)

    def true_values(self, draws: int, seed: int) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """Draws (S, *shape) of all latents from their priors and no names, or from the posterior and the names of
        those without a proper prior.
        """
        from ppl.compile.replicate import draw_prior, without_proper_prior

        improper = tuple(without_proper_prior(self.model))
        if not improper:
            return draw_prior(self.model, draws, generator(seed, _PRIOR)), ()
        found = self.fit(seed=seed, draws=max(draws, 100)).draws
        return {name: value[:draws] for name, value in found.items()}, improper

    def log_density(self, values: Mapping[str, Any]) -> float:
        """The log joint density at values of all latents on their own scale, in nats: no Jacobian, all constants.

        Simulated names may be given as well, and then count. Minus infinity outside the support. Raises `UsageError`
        for a name that is missing or unknown, or a value of the wrong shape.
        """
        from ppl.use.log_density import log_density

        return log_density(self.model, self.joint, values, self.behind is None)

    def fit(
        self, seed: int = 1, draws: int = pipeline.DRAWS, keep_all: bool = False, guide: str = "auto", *,
        checkpoint: str | PathLike[str] | None = None, resume: str | PathLike[str] | None = None,
        watch: Watch | None = None, standard_errors: bool = False, em: bool = False, stochastic: bool = False,
        amortise: str | Sequence[str] = (), encoder: Sequence[int] | None = None, batch_size: int | None = None,
        epochs: int | None = None, kl_anneal: float = 0.0, learning_rate: float | None = None,
        validation: float | None = None, label_weight: float | None = None,
    ) -> Fit:  # fmt: skip
        """The posterior, found by the automatic mean-field guide and corrected.

        With the `guide` "auto" further rungs are tried while the verdict is not good; another name is that rung alone,
        as docs/inference.md describes them: "meanfield", "noncentred", "partial", "nested", "adapted", "fullrank",
        "lowrank", "realnvp" ("flow"), "iaf", "planar", "mixture", "chains", "point". Where there is nothing for a rung
        to do, the fit is that of the mean field.

        Points (`Param`) are estimated first, with a mean field; `em` takes steps by both in turn, to the same end. The
        rest is found given them. `standard_errors` are, as sds of the points, those by the observed information.

        `draws` is how many equally weighted draws the fit holds; `keep_all` keeps those of very long simulated and
        derived names too, which `left_out` names otherwise. The same seed gives the same bits. What is found is kept in
        the file `checkpoint`; `resume` goes on from one. A fit whose `watch` is stopped ends with what there is.

        Any of the other arguments, and a model too large for all this, mean a fit by stochastic gradients: over batches
        of `batch_size` rows, for so many `epochs` or until the ELBO is flat. The latents named by `amortise` come from
        an encoder with hidden layers of these sizes; of many rows a share, `validation`, is then held out. It gives
        discrete latents too: what it says of known labels counts `label_weight` times beside the ELBO. Raises
        `ModelError` where the density is not finite at the start, `UsageError` for what makes no sense or is too large,
        `FileError` for a checkpoint that cannot be read or written.
        """
        seed, draws = whole("seed", seed, 0, 2**32 - 1), whole("draws", draws, 100, 1_000_000)
        rows = None if self.behind is None else self.behind.rows
        now, given = watch or Watch(), keep(self.data, self.model, 0 if rows is None else rows.groups.rows)
        why = "" if em or standard_errors or guide != "auto" else choose.reason(self.joint)
        why, mark = (why, "") if self.behind is None else (self.behind.why, self.behind.mark)
        numbers = (encoder, batch_size, epochs, learning_rate, kl_anneal or None, validation, label_weight)
        wish = None
        if stochastic or why or amortise or any(number is not None for number in numbers):
            from ppl.infer.stochastic.wish import wish_of

            wish = wish_of(stochastic or bool(why), amortise, *numbers, guide, em or standard_errors)
        further = ("" if wish is None else str(wish)) + mark
        if checkpoint is not None or resume is not None:
            from ppl.report.checkpoint import identity, store

            of = identity(self.model.source.text, given, seed, draws, guide + " em" * em, further)
            now.store = store(checkpoint, resume, of)
        if wish is not None:
            from ppl.use import deep_fit

            asked = (wish, seed, draws, keep_all, given, why, self.behind)
            with one_blas_thread(), watched(now):
                return Fit(deep_fit.fitted(self.model, self.joint, *asked), self, rows)
        rungs = rungs_of(self.model, guide)
        problem = ladder.Problem(self.model, self.summed, self.joint, seed, draws)
        with one_blas_thread(), watched(now):
            return Fit(fitted(problem, rungs, left_out(self.model, draws, keep_all), given, standard_errors, em), self)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A posterior that was found: its verdict, summary and draws."""

    record: Record = field(repr=False)
    posterior: Posterior | None = field(default=None, repr=False)
    rows: RowStream | None = field(default=None, repr=False)  # all, where they were read as a stream

    @property
    def verdict(self) -> str:
        """ "good", "usable" or "do not use"; `reasons` says why."""
        return self.record.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.record.reasons

    @property
    def rules(self) -> tuple[Checked, ...]:
        """Every rule of the verdict with its number, whether it speaks against the fit or not."""
        return self.record.rules

    @property
    def left_out(self) -> tuple[str, ...]:
        """Simulated and derived names too long to keep unasked: `fit(keep_all=True)` keeps them."""
        return self.record.left_out

    @property
    def pareto_k(self) -> float:
        return self.record.pareto_k

    @property
    def elbo(self) -> float:
        """In nats, of the mean-field guide."""
        return self.record.elbo

    @property
    def draws(self) -> dict[str, labelled.Draws]:
        """Equally weighted draws (S, *shape) of every name: arrays that know their axes, `draws["theta"]["Choate"]`."""
        from ppl.report import labelled

        return {name: labelled.Draws.of(quantity) for name, quantity in self.record.quantities.items()}

    def to_xarray(self) -> Any:
        """All draws as an xarray.Dataset. Raises `UsageError` where xarray is missing."""
        from ppl.report import labelled

        return labelled.as_dataset(self.record.quantities)

    def to_arviz(self) -> Any:
        """Draws and observed data as an arviz.InferenceData. Raises `UsageError` where ArviZ is missing."""
        from ppl.report import labelled

        return labelled.as_inference_data(self.record)

    def __repr__(self) -> str:
        return f"Fit({self.verdict}; {len(self.record.chosen):,} draws of {', '.join(self.record.quantities)})"

    def _repr_html_(self) -> str:
        from ppl.report import notebook

        return notebook.fit_html(self.record)

    @property
    def probabilities(self) -> dict[str, np.ndarray]:
        """Posterior probabilities (values, *shape) of the values of every discrete latent, in their order."""
        return {name: found.probability for name, found in self.record.probabilities.items()}

    def summary(self, everything: bool = False) -> Summary:
        """Mean, sd, 5 %, 50 % and 95 % quantile and Monte Carlo error of every scalar."""
        from ppl.report.summary import Summary

        return Summary(self.record, everything)

    def require(self, verdict: str) -> Fit:
        """The fit itself. Raises `VerdictError` where its verdict is worse than "good" or "usable", as asked for."""
        if verdict not in FROM_BEST[:-1]:
            raise UsageError(f'require: "good" or "usable", not {verdict!r}')
        if is_worse(self.verdict, verdict):
            why = f": {self.reasons[0]}" if self.reasons else ""
            raise VerdictError(f"the verdict is `{self.verdict}`, and `{verdict}` is required{why}")
        return self

    @property
    def log_weights(self) -> np.ndarray:
        """The log importance weights (P,) of the proposals that the draws were resampled from; their sum is 1."""
        return self.record.log_weights

    def predict(
        self, *data: Any, of: str | Sequence[str] | None = None, kind: str = "response", new_levels: str = "error",
        seed: int = 1, **tables: Any,
    ) -> Predictions:  # fmt: skip
        """Draws of what would be observed at new rows, given as to `condition`: the posterior predictive.

        `of` are observed names, all unless given; `kind="mean"` gives their means instead, "probabilities" that of each
        category. Levels of a factor that the fit has not seen are drawn from their prior with `new_levels="sample"`.
        Raises `UsageError` for what cannot be predicted, `DataError` for data that lack what is needed.
        """
        from ppl.use.predict import Wish, predict
        from ppl.use.predicted import Predictions

        if new_levels not in ("error", "sample"):
            raise UsageError(f'new_levels: "error" or "sample", not {new_levels!r}')
        names = (of,) if isinstance(of, str) else None if of is None else tuple(of)
        wish = Wish(names, kind, new_levels == "sample", whole("seed", seed, 0, 2**32 - 1))
        return Predictions(predict(self.record, self._data(), dataset.read(data, tables), wish))

    def encode(self, *data: Any, seed: int = 1, **tables: Any) -> dict[str, np.ndarray]:
        """Mean and sd of the latents of new rows that a fit with `amortise` has an encoder for, by label: `z[1]_mean`,
        `z[1]_sd`. Raises `UsageError` where there is no encoder, `DataError` for rows that it cannot read.
        """
        from ppl.use.encode import encode_all

        return dict(encode_all(self.record, self._data(), data, tables, whole("seed", seed, 0, 2**32 - 1)))

    def evaluate(self, *data: Any, draws: int = 1000, seed: int = 1, **tables: Any) -> Evaluation:
        """The log likelihood of rows that the fit has not seen, latents of a row integrated out by importance sampling.

        Raises `UsageError` where rows have no likelihood of their own, `DataError` for rows that lack something.
        """
        from ppl.use.evaluate import evaluate

        draws, seed = whole("draws", draws, 2, 1_000_000), whole("seed", seed, 0, 2**32 - 1)
        return evaluate(self.record, self._data(), data, tables, draws, seed)

    def log_likelihood(self) -> dict[str, np.ndarray]:
        """The log density (S, *shape) of each observed element, in nats, at all draws. Raises `UsageError`."""
        from ppl.use.loo import log_likelihoods

        return log_likelihoods(self.record, self._model())

    def loo(self) -> Loo:
        """Leave-one-out cross-validation by Pareto-smoothed importance sampling. Raises `UsageError`."""
        from ppl.use.loo import hold_out

        return hold_out(self.record, self._model(), self.record.model, self.rows).loo

    def ppc(self, seed: int = 1) -> tuple[checks.Check, ...]:
        """Statistics of observed names beside those of replicated data; `rows`, if not of all. Raises `UsageError`."""
        from ppl.use import checks

        return checks.of_fit(self.record, self._model(), self._data(), seed)

    def replicates(self, draws: int = 100, seed: int = 1) -> dict[str, np.ndarray]:
        """Replicated data (S, elements) of every observed name, the missing left out. Raises `UsageError`."""
        from ppl.use import checks

        return checks.replicates(self.record, self._model(), self._data(), draws, seed)

    def plot(self, kind: str = "intervals", of: str | Sequence[str] = (), **options: Any) -> Any:
        """A matplotlib figure of a kind that `ppl plot` draws, of all names or only these. Options: `color`, a column
        that colours points of a latent space; `shape`, (rows, columns) of an image; `new`, data of rows that the fit
        has not seen. Raises `UsageError` and `DataError`.
        """
        from ppl.use.material import figure

        return figure(self.record, self._data, self._model, kind, of, **options)

    def _data(self) -> Dataset:
        from ppl.use import again

        return again.data_of(self.record) if self.posterior is None else self.posterior.data

    def _model(self) -> graph.Model:
        from ppl.use import again

        return again.model_of(self.record, self._data()) if self.posterior is None else self.posterior.model

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fit as a netCDF file that `ppl summary` and ArviZ open. Raises `FileError`."""
        from ppl.report import fitfile

        fitfile.write(self.record, path)


def read_fit(path: str | PathLike[str], *data: Any, **tables: Any) -> Fit:
    """The fit in a file; the data are needed again only where they were too long to stand in it.

    Raises `FileError`, and `DataError` for data that are not those of the fit.
    """
    from ppl.report import fitfile
    from ppl.use import again

    record = fitfile.read(path)
    if not data and not tables:
        return Fit(record)
    held, rows = again.all_of(record, data, tables)
    return Fit(replace(record, given=replace(record.given, data=held)), rows=rows)
