"""scikit-learn's data sets and documentation -> the tables that the models in this folder are fitted to.

python models/deep/write_data.py [FOLDER]     # needs the extra `examples`; FOLDER is models/deep unless given

Splits are drawn with a fixed seed, so that everybody has the same tables. Digits, wine and breast cancer come from the
UCI machine learning repository, diabetes from Efron, Hastie, Johnstone, Tibshirani 2004; `words.csv` counts words in
the documentation of scikit-learn's own estimators.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.utils.discovery import all_estimators

HELD_OUT = 0.2  # share of rows in NAME_test.csv
LABELS = 100  # in digits_few_labels.csv
HIDDEN_CELLS = 0.1  # share of the cells in wine_gaps.csv that are empty
DOCUMENTS, WORDS = 120, 200  # in words.csv
_WORD = re.compile(r"[a-z]{4,}")
_EVERYWHERE = """
array shape samples features default method object parameters self estimator value values input data training used this
that with from have will must only when each been which there than then also else true false none returns return class
sklearn import print fitted routing metadata more read user guide examples example notes note attributes version
versionadded otherwise matrix given number using during defined
"""  # in the documentation of nearly every estimator: they tell nothing apart


def split(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows to fit and of those held out, each in order."""
    order = np.random.default_rng(seed).permutation(rows)
    cut = round(HELD_OUT * rows)
    return np.sort(order[cut:]), np.sort(order[:cut])


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
    print(path)


def halves(folder: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[object]], seed: int) -> None:
    """NAME.csv to fit and NAME_test.csv, held out."""
    fitted, held_out = split(len(rows), seed)
    write(folder / f"{name}.csv", header, (rows[i] for i in fitted))
    write(folder / f"{name}_test.csv", header, (rows[i] for i in held_out))


def digits(folder: Path) -> None:
    """8 by 8 pixels: ink from 0 to 16 as `px_0` to `px_63`, black or white as `bw_0` to `bw_63`, and the digit."""
    data = load_digits()
    pixels = data.data.astype(int)
    ink = [f"px_{i}" for i in range(64)]
    header = ["digit", *ink, *(f"bw_{i}" for i in range(64))]
    names = np.array([f"d{digit}" for digit in data.target])
    rows = [[names[i], *pixels[i], *(pixels[i] >= 8).astype(int)] for i in range(len(names))]
    halves(folder, "digits", header, rows, seed=1)
    fitted, _ = split(len(rows), seed=1)
    rng = np.random.default_rng(2)
    of_digit = [fitted[data.target[fitted] == digit] for digit in range(10)]
    chosen = {int(i) for own in of_digit for i in rng.choice(own, LABELS // 10, replace=False)}
    hidden = [[rows[i][0] if i in chosen else "", *rows[i][1:]] for i in fitted]
    write(folder / "digits_few_labels.csv", header, hidden)
    write(folder / "digits_labelled.csv", header, (rows[i] for i in sorted(chosen)))


def diabetes(folder: Path) -> None:
    """Ten measurements `x_age` to `x_s6`, and how far the disease progressed within a year."""
    data = load_diabetes(scaled=False)
    header = ["progression", *(f"x_{name}" for name in data.feature_names)]
    halves(folder, "diabetes", header, [[y, *x] for x, y in zip(data.data, data.target, strict=True)], seed=3)


def wine(folder: Path) -> None:
    """Thirteen measurements of 178 wines, `x_alcohol` to `x_proline`, standardised; and with empty cells."""
    data = load_wine()
    header = ["cultivar", *(f"x_{re.sub('[^a-z0-9]+', '_', name)}" for name in data.feature_names)]
    x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0, ddof=1)
    kinds = ["ABC"[k] for k in data.target]
    write(folder / "wine.csv", header, ([kind, *row] for kind, row in zip(kinds, x.tolist(), strict=True)))
    gaps = np.random.default_rng(4).random(x.shape) < HIDDEN_CELLS
    emptied = [
        ["" if gap else value for value, gap in zip(*both, strict=True)] for both in zip(x.tolist(), gaps, strict=True)
    ]
    write(folder / "wine_gaps.csv", header, ([kind, *row] for kind, row in zip(kinds, emptied, strict=True)))


def breast_cancer(folder: Path) -> None:
    """Thirty measurements of cell nuclei, and whether the tumour is benign (1) or malignant (0)."""
    data = load_breast_cancer()
    header = ["benign", *(f"x_{name.replace(' ', '_')}" for name in data.feature_names)]
    halves(folder, "breast_cancer", header, [[int(y), *x] for x, y in zip(data.data, data.target, strict=True)], seed=5)


def words(folder: Path) -> None:
    """How often each of 200 words stands in the documentation of 120 estimators."""
    everywhere = frozenset(_EVERYWHERE.split())
    texts = {name: (cls.__doc__ or "") for name, cls in all_estimators()}
    counts = {name: Counter(w for w in _WORD.findall(t.lower()) if w not in everywhere) for name, t in texts.items()}
    documents = sorted(sorted(counts), key=lambda name: -sum(counts[name].values()))[:DOCUMENTS]
    spread = Counter(word for name in documents for word in counts[name])
    total = Counter({w: sum(counts[name][w] for name in documents) for w in spread if 4 <= spread[w] <= DOCUMENTS // 2})
    vocabulary = sorted(word for word, _ in total.most_common(WORDS))
    rows = ([name, *(counts[name][word] for word in vocabulary)] for name in sorted(documents))
    write(folder / "words.csv", ["estimator", *(f"w_{word}" for word in vocabulary)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for table in (digits, diabetes, wine, breast_cancer, words):
        table(folder)


if __name__ == "__main__":
    main()
