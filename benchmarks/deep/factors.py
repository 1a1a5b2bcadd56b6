"""Factor analysis and probabilistic PCA by ppl, against scikit-learn; cells restored, against an exact Gaussian.

python benchmarks/deep/factors.py [FOLDER]     # needs the extra `examples`; FOLDER holds what write_data.py writes
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA, FactorAnalysis

import ppl

MODELS = Path(__file__).resolve().parents[2] / "models" / "deep"


def read(path: Path) -> np.ndarray:
    """The measurements (rows, 13), NaN for empty cells."""
    with path.open() as file:
        rows = [
            [float(cell or "nan") for name, cell in row.items() if name[:2] == "x_"] for row in csv.DictReader(file)
        ]
    return np.array(rows)


def fitted(model: str, data: Path, stochastic: bool = False) -> tuple[ppl.Fit, float]:
    begin = time.process_time()
    fit = ppl.load(MODELS / f"{model}.ppl").condition(data).fit(seed=1, stochastic=stochastic)
    return fit, time.process_time() - begin


def likelihoods(folder: Path) -> None:
    data = read(folder / "wine.csv")
    theirs = {
        "wine_pca": PCA(2).fit(data).score(data) * len(data),
        "wine_factors": FactorAnalysis(2, tol=1e-10, max_iter=100_000, svd_method="lapack").fit(data).score(data)
        * len(data),
    }
    print(f"{'log likelihood, nats':22s} {'ppl':>12s} {'scikit-learn':>12s} {'apart':>9s} {'CPU s':>6s}  verdict")
    for model, expected in theirs.items():
        fit, seconds = fitted(model, folder / "wine.csv")
        apart = abs(fit.elbo / expected - 1)
        print(f"{model:22s} {fit.elbo:12.3f} {expected:12.3f} {apart:9.1e} {seconds:6.1f}  {fit.verdict}", flush=True)


def restored(folder: Path) -> None:
    """The empty cells, in the order of the table: wine after wine."""
    whole, gaps = read(folder / "wine.csv"), read(folder / "wine_gaps.csv")
    hidden = np.isnan(gaps)
    print("\ncells restored: rms error of ppl, of the exact conditional mean, of column means; worst distance, CPU s")
    for stochastic in (False, True):
        fit, seconds = fitted("wine_restored", folder / "wine_gaps.csv", stochastic)
        w, m, sigma = (np.asarray(fit.draws[name])[0] for name in ("W", "m", "sigma"))
        exact, sds = conditional(gaps, m, w.T @ w + np.diag(sigma**2))
        drawn = np.asarray(fit.draws["X"]).mean(axis=0)
        means = np.broadcast_to(np.nanmean(gaps, axis=0), gaps.shape)
        errors = [np.sqrt(np.mean((x - whole[hidden]) ** 2)) for x in (drawn, exact[hidden], means[hidden])]
        apart = np.abs(drawn - exact[hidden]) / sds[hidden]
        how = "by stochastic gradients" if stochastic else "by the ladder"
        print("{:.3f} {:.3f} {:.3f}  ".format(*errors) + f"{apart.max():.3f} sd  {seconds:.0f}  {fit.verdict}, {how}")


def conditional(gaps: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of each empty cell given the others of its row, of a multivariate normal."""
    found, sds = np.array(gaps), np.zeros(gaps.shape)
    for i, row in enumerate(gaps):
        hidden = np.isnan(row)
        seen = ~hidden
        gain = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, hidden)]).T
        found[i, hidden] = mean[hidden] + gain @ (row[seen] - mean[seen])
        left = covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(seen, hidden)]
        sds[i, hidden] = np.sqrt(np.diag(left))
    return found, sds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=MODELS)
    folder = parser.parse_args().folder
    likelihoods(folder)
    restored(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
