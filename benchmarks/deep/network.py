"""Networks that read digits: accuracy, expected calibration error and log score, beside scikit-learn's.

python benchmarks/deep/network.py [FOLDER] [--seeds 1 2 3] [--epochs N] [--model FILE]   # needs the extra `examples`

FOLDER holds what models/deep/write_data.py writes; it is written where it is not there. The probability of a digit is
its share of the posterior predictive draws. With --validate a fifth of the rows to fit is held out and judged instead
of the test rows: settings are chosen so.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from digits import arguments, held_out, small, write
from sklearn.linear_model import LogisticRegression

import ppl

FLOOR = 1e-4  # of a probability in the log score: shares of draws may be 0


def calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    """Of the digit that is told: the mean distance of confidence and accuracy over bins of equal width, by rows."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((right[place == b] - confidence[place == b]).sum()) for b in range(bins)]
    return float(sum(gaps) / len(truth))


def judged(probabilities: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Accuracy, calibration errors over 10 and 15 bins, mean log score in nats."""
    right = float((probabilities.argmax(axis=1) == truth).mean())
    score = float(np.log(np.maximum(probabilities[np.arange(len(truth)), truth], FLOOR)).mean())
    return right, *(calibration_error(probabilities, truth, bins) for bins in (10, 15)), score


def show(name: str, found: tuple[float, float, float, float], rest: str = "") -> None:
    print("{:24s}  {:8.2%}  {:14.2%}  {:14.2%}  {:9.3f}".format(name, *found) + rest, flush=True)


def main() -> int:
    options = arguments(__doc__, epochs=600, rate=0.01, model="digits_last_layer.ppl", seeds=[1, 2, 3]).parse_args()
    data = small(options.folder)
    if options.validate:
        data = held_out(data, np.arange(len(data.ink)))
    ink, digits, new, truth = data
    print(f"{len(ink):,} digits to fit, {len(new)} to be told")
    print(f"{'':24s}  {'accuracy':>8s}  {'ECE of 10 bins':>14s}  {'ECE of 15 bins':>14s}  {'log score':>9s}")
    witness = LogisticRegression(max_iter=10_000).fit(ink / 16, digits)
    show("logistic regression", judged(witness.predict_proba(new / 16), truth))
    with tempfile.TemporaryDirectory() as folder:
        table, rows = (
            write(Path(folder) / f"{name}.csv", *data) for name, data in (("a", (ink, digits)), ("b", (new, truth)))
        )
        for path in options.model:
            found = []
            for seed in options.seeds:
                begin = time.process_time()
                fit = ppl.load(path).condition(table).fit(
                    seed=seed, batch_size=128, epochs=options.epochs, learning_rate=options.rate
                )  # fmt: skip
                seconds = time.process_time() - begin
                drawn = fit.predict(rows, of="digit", seed=seed)["digit"]
                shares = np.stack([(drawn == k + 1).mean(axis=0) for k in range(10)], axis=1)
                found.append(judged(shares, truth))
                show(f"{path.stem} {seed}", found[-1], f"  {seconds:.0f} s of CPU, {fit.verdict}")
            a, b, c, d = np.mean(found, axis=0)
            show(f"{path.stem} mean", (a, b, c, d))
    return 0


if __name__ == "__main__":
    sys.exit(main())
