"""Digits of which a hundred have a label: models/deep/digits_few_labels.ppl, against a logistic regression on these.

python benchmarks/deep/few_labels.py [FOLDER] [--seeds 1 2 3] [--epochs N]     # needs the extra `examples`

FOLDER holds what models/deep/write_data.py writes; it is written where it is not there. Errors are shares of the 359
digits that were held out; `encoder` is the label with the highest q(label | pixels), `posterior` that of ppl predict.
With --validate the settings are judged instead: a fifth of the rows without labels is held out, and the rest fitted.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

import ppl

MODELS = Path(__file__).resolve().parents[2] / "models" / "deep"
PIXELS = [f"px_{i}" for i in range(64)]
HELD_OUT = 5  # of so many rows without a label one is for validation


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ink (rows, 64) and digits (rows,), -1 without a label."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    ink = np.array([[float(row[name]) for name in PIXELS] for row in rows])
    return ink, np.array([int(row["digit"].removeprefix("d") or -1) for row in rows])


def write(path: Path, ink: np.ndarray, digits: np.ndarray | None) -> Path:
    """With an empty label for -1; without the column for None."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*PIXELS, *(["digit"] if digits is not None else [])])
        for i, row in enumerate(ink.astype(int).tolist()):
            label = [] if digits is None else ["" if digits[i] < 0 else f"d{digits[i]}"]
            out.writerow([*row, *label])
    return path


def tables(folder: Path, validate: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ink and digits to fit, and those to be told."""
    if not (folder / "digits_few_labels.csv").exists():
        subprocess.run([sys.executable, str(MODELS / "write_data.py"), str(folder)], check=True)
    ink, digits = read(folder / "digits_few_labels.csv")
    if not validate:
        return ink, digits, *read(folder / "digits_test.csv")
    truth = read(folder / "digits.csv")[1]
    without = np.random.default_rng(1).permutation(np.flatnonzero(digits < 0))
    held = without[: len(without) // HELD_OUT]
    kept = np.setdiff1d(np.arange(len(ink)), held)
    return ink[kept], digits[kept], ink[held], truth[held]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--label-weight", type=float, default=None)
    parser.add_argument("--model", type=Path, default=MODELS / "digits_few_labels.ppl")
    parser.add_argument("--validate", action="store_true")
    options = parser.parse_args()
    ink, digits, new, truth = tables(options.folder, options.validate)
    known = digits >= 0
    print(f"{known.sum()} of {len(ink):,} rows have a label; {len(new)} are to be told")
    plain = LogisticRegression(max_iter=10_000)
    tuned = LogisticRegressionCV(
        Cs=10, cv=5, max_iter=10_000, use_legacy_attributes=False, scoring="neg_log_loss", l1_ratios=(0,)
    )
    for name, classifier in (("logistic regression", plain), ("the same, penalty by cross-validation", tuned)):
        error = (classifier.fit(ink[known] / 16, digits[known]).predict(new / 16) != truth).mean()
        print(f"{name:40s} error {error:.2%}", flush=True)
    model = ppl.load(options.model)
    with tempfile.TemporaryDirectory() as folder:
        table = write(Path(folder) / "few.csv", ink, digits)
        rows = write(Path(folder) / "new.csv", new, None)
        print("seed  encoder  posterior  ELBO a row, nats  CPU s  verdict")
        errors = []
        for seed in options.seeds:
            begin = time.process_time()
            fit = model.condition(table).fit(
                seed=seed, draws=200, amortise="z", batch_size=128, epochs=options.epochs,
                learning_rate=options.rate, label_weight=options.label_weight,
            )  # fmt: skip
            seconds = time.process_time() - begin
            encoded = fit.encode(rows)
            by_encoder = np.column_stack([encoded[f"digit_p_d{k}"] for k in range(10)]).argmax(axis=1)
            drawn = fit.predict(rows, of="digit")["digit"]
            by_posterior = np.stack([(drawn == k + 1).mean(axis=0) for k in range(10)]).argmax(axis=0)
            errors.append([(by_encoder != truth).mean(), (by_posterior != truth).mean()])
            one, other = errors[-1]
            nats = fit.elbo / len(ink)
            print(f"{seed:4d}  {one:7.2%}  {other:9.2%}  {nats:16.2f}  {seconds:5.0f}  {fit.verdict}", flush=True)
        print("mean  {:7.2%}  {:9.2%}".format(*np.mean(errors, axis=0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
