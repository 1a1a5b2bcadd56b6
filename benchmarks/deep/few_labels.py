"""Digits of which a hundred have a label: models/deep/digits_few_labels.ppl, against classifiers of the hundred alone.

python benchmarks/deep/few_labels.py [FOLDER] [--draws 1 2 3 4 5]     # needs the extra `examples`

FOLDER holds what models/deep/write_data.py writes; it is written where it is not there. Ten of each digit keep their
label, chosen anew for each of --draws (2 is the choice of digits_few_labels.csv). Errors are shares of the digits held
out: `encoder` is the label with the highest q(label | pixels), `posterior` that of ppl predict. The network is that of
the encoder, trained on the hundred; penalties of the classifiers are chosen by cross-validation. They have the ink of
the pixels, as the model has, and once more black and white alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from digits import BLACK, Digits, arguments, chosen, held_out, small, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

import ppl

EACH = 10  # labels of each digit
FOLDS = 5
ENCODER = (128, 64)
PENALTIES = [0.0001, 0.01, 0.1, 1.0, 3.0]
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: LogisticRegressionCV(
        Cs=10, cv=FOLDS, max_iter=10_000, use_legacy_attributes=False, scoring="neg_log_loss", l1_ratios=(0,)
    ),
    "network": lambda seed: GridSearchCV(
        MLPClassifier(ENCODER, activation="tanh", max_iter=500, random_state=seed),
        {"alpha": PENALTIES}, cv=FOLDS, scoring="neg_log_loss",
    ),
    "support vectors": lambda seed: GridSearchCV(SVC(), {"C": [1, 10], "gamma": ["scale", 0.01, 0.03]}, cv=FOLDS),
}  # fmt: skip
PIXELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ink": lambda ink: ink / 16,
    "black and white": lambda ink: (ink >= BLACK).astype(float),
}


def with_labels(data: Digits, draw: int, validate: bool) -> Digits:
    """Labels of all but a hundred rows are -1."""
    rows = chosen(data.digits, EACH, draw)
    without = np.setdiff1d(np.arange(len(data.digits)), rows)
    hidden = data._replace(digits=np.where(np.isin(np.arange(len(data.digits)), rows), data.digits, -1))
    if not validate:
        return hidden
    held = held_out(data, without)
    return held._replace(digits=held_out(hidden, without).digits)


def plain_errors(data: Digits, seed: int) -> dict[str, float]:
    """Of each classifier, from the rows that have a label."""
    known, found = data.digits >= 0, {}
    for pixels, of in PIXELS.items():
        for name, classifier in CLASSIFIERS.items():
            fitted = classifier(seed).fit(of(data.ink[known]), data.digits[known])
            found[f"{name}, {pixels}"] = float((fitted.predict(of(data.new)) != data.truth).mean())
    return found


def our_errors(data: Digits, path: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Of the encoder's and of the posterior's most probable label."""
    with tempfile.TemporaryDirectory() as made:
        table = write(Path(made) / "few.csv", data.ink, data.digits)
        rows = write(Path(made) / "new.csv", data.new)
        begin = time.process_time()
        fit = ppl.load(path).condition(table).fit(
            seed=seed, draws=100, amortise="z", encoder=ENCODER, batch_size=128, epochs=options.epochs,
            learning_rate=options.rate, label_weight=options.label_weight,
        )  # fmt: skip
        seconds = time.process_time() - begin
        encoded, posterior = fit.encode(rows), fit.predict(rows, of="digit", kind="probabilities")["digit"]
    print(
        f"  {path.stem}: {seconds:.0f} s of CPU, {fit.elbo / len(data.ink):.2f} nats a row, {fit.verdict}", flush=True
    )
    by_encoder = np.stack([encoded[f"digit_p_d{k}"] for k in range(10)], axis=-1)
    told = {"encoder": by_encoder, "posterior": posterior.mean(axis=0)}
    return {f"{path.stem}, {by}": float((p.argmax(axis=-1) != data.truth).mean()) for by, p in told.items()}


def show(name: str, each: Sequence[float]) -> None:
    three = "  ".join(f"{value:7.2%}" for value in (np.mean(each), min(each), max(each)))
    print(f"{name:40s}  {three}  " + " ".join(f"{value:.1%}" for value in each))


def main() -> int:
    parser = arguments(__doc__, epochs=200, rate=0.003, model="digits_few_labels.ppl", seeds=[1])
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 2, 3, 4, 5], help="of the hundred labels")
    parser.add_argument("--label-weight", type=float, default=None)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = small(options.folder)
    errors: dict[str, list[float]] = {}
    for draw in options.draws:
        few = with_labels(data, draw, options.validate)
        print(f"labels {draw}: {(few.digits >= 0).sum()} of {len(few.ink):,} rows; {len(few.new)} are to be told")
        found = [plain_errors(few, draw)]
        found += [our_errors(few, path, seed, options) for seed in options.seeds for path in options.model]
        for name, error in ((name, error) for one in found for name, error in one.items()):
            errors.setdefault(name, []).append(error)
            print(f"  {name:38s}  {error:7.2%}", flush=True)
    print(f"{'error':40s}  {'mean':>7s}  {'least':>7s}  {'most':>7s}  each")
    for name, each in errors.items():
        show(name, each)
    return 0


if __name__ == "__main__":
    sys.exit(main())
