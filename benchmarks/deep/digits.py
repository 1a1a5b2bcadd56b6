"""Tables of digits -> ink and labels as arrays, and CSV again: what few_labels.py and network.py share.

Ink is (rows, pixels), from 0 to 16; labels are (rows,), whole numbers, -1 where the label is not known. Digits of
scikit-learn have 8 by 8 pixels.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

MODELS = Path(__file__).resolve().parents[2] / "models" / "deep"
BLACK = 8  # ink of a black pixel, at least
VALIDATION_SHARE = 5  # one of so many rows


class Digits(NamedTuple):
    """What is fitted, and what is to be told."""

    ink: np.ndarray
    digits: np.ndarray
    new: np.ndarray
    truth: np.ndarray


def arguments(about: str | None, epochs: int, rate: float, model: str, seeds: list[int]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=seeds)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--model", type=Path, nargs="+", default=[MODELS / model])
    parser.add_argument(
        "--validate", action="store_true", help="judge rows held out of those to fit, not the test rows"
    )
    return parser


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ink and labels of a table of models/deep/write_data.py."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    pixels = [name for name in rows[0] if name.startswith("px_")]
    ink = np.array([[float(row[name]) for name in pixels] for row in rows])
    return ink, np.array([int(row["digit"].removeprefix("d") or -1) for row in rows])


def write(path: Path, ink: np.ndarray, digits: np.ndarray | None = None) -> Path:
    """With an empty cell for -1; without the column for None."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*(f"px_{i}" for i in range(ink.shape[1])), *(["digit"] if digits is not None else [])])
        for i, row in enumerate(ink.astype(int).tolist()):
            label = [] if digits is None else ["" if digits[i] < 0 else f"d{digits[i]}"]
            out.writerow([*row, *label])
    return path


def small(folder: Path) -> Digits:
    """scikit-learn's digits: digits.csv and digits_test.csv of the folder, written where they are not there."""
    if not (folder / "digits.csv").exists():
        subprocess.run([sys.executable, str(MODELS / "write_data.py"), str(folder)], check=True)
    return Digits(*read(folder / "digits.csv"), *read(folder / "digits_test.csv"))


def held_out(data: Digits, rows: np.ndarray) -> Digits:
    """Without the test rows: a fifth of the given rows to fit is to be told instead, and no longer fitted."""
    order = np.random.default_rng(1).permutation(rows)
    held = order[: len(order) // VALIDATION_SHARE]
    kept = np.setdiff1d(np.arange(len(data.ink)), held)
    return Digits(data.ink[kept], data.digits[kept], data.ink[held], data.digits[held])


def chosen(digits: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Rows of so many of each digit; with seed 2 those of digits_few_labels.csv."""
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.choice(np.flatnonzero(digits == k), each, replace=False) for k in range(10)]))
