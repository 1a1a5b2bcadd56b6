"""fixed seeds -> benchmarks/hard/*.csv: the published eight schools, and invented tables for the other models.

Each table has a generator of its own, so that changing one leaves the others as they are. The true values stand in the
functions; values are rounded as whoever wrote the table down would have rounded them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent

# Rubin (1981), table 1: the estimated effect of coaching on the SAT-V score in each school, and its standard error.
EIGHT_SCHOOLS = (
    ("Choate", 28, 15), ("Deerfield", 8, 10), ("Phillips Andover", -3, 16), ("Phillips Exeter", 7, 11),
    ("Hotchkiss", -1, 9), ("Lawrenceville", 1, 11), ("St. Paul's", 18, 10), ("Mt. Hermon", 12, 18),
)  # fmt: skip


def eight_schools_centred() -> None:
    write("eight_schools_centred", ["school", "y", "sigma"], EIGHT_SCHOOLS)


def horseshoe() -> None:
    """30 rows, 50 independent predictors, of which the first three matter: 3, -2 and 1; noise with an sd of 1."""
    rng = np.random.default_rng(301)
    x = rng.normal(size=(30, 50)).round(2)
    y = x[:, :3] @ [3.0, -2.0, 1.0] + rng.normal(size=30)
    head = [f"x{j + 1}" for j in range(50)] + ["y"]
    write("horseshoe", head, ([*(f"{v:.2f}" for v in row), f"{value:.2f}"] for row, value in zip(x, y, strict=True)))


def mixture_unordered() -> None:
    """80 rows: 45 % about -1.5, the others about 2, both with an sd of 1."""
    rng = np.random.default_rng(302)
    y = np.where(rng.random(80) < 0.45, -1.5, 2.0) + rng.normal(size=80)
    write("mixture_unordered", ["y"], ([f"{value:.2f}"] for value in y))


def gp_poisson() -> None:
    """Counts at 20 places between 0 and 10; the log rate is a wave about 1, low in places: many zeros."""
    rng = np.random.default_rng(303)
    x = np.linspace(0, 10, 20).round(2)
    y = rng.poisson(np.exp(1 + 1.2 * np.sin(x) - 0.1 * (x - 5)))
    write("gp_poisson", ["x", "y"], ([f"{place:.2f}", count] for place, count in zip(x, y, strict=True)))


def local_level() -> None:
    """200 steps of a walk with an sd of 0.3, from 2, observed with an sd of 1."""
    rng = np.random.default_rng(304)
    y = 2 + np.cumsum(rng.normal(0, 0.3, 200)) + rng.normal(size=200)
    write("local_level", ["y"], ([f"{value:.2f}"] for value in y))


def two_modes() -> None:
    """20 rows about 9, the square of 3, with an sd of 2."""
    rng = np.random.default_rng(305)
    write("two_modes", ["y"], ([f"{value:.2f}"] for value in rng.normal(9, 2, 20)))


def separated() -> None:
    """30 rows: y is 1 exactly where x + 0.5 u > 0.2."""
    rng = np.random.default_rng(306)
    x, u = rng.normal(size=(2, 30)).round(2)
    rows = [[f"{a:.2f}", f"{b:.2f}", int(a + 0.5 * b > 0.2)] for a, b in zip(x, u, strict=True)]
    write("separated_normal", ["x", "u", "y"], rows)
    write("separated_cauchy", ["x", "u", "y"], rows)


def write(model: str, head: list[str], rows: Iterable[Iterable[object]]) -> None:
    with (HERE / f"{model}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


if __name__ == "__main__":
    for make in (eight_schools_centred, horseshoe, mixture_unordered, gp_poisson, local_level, two_modes, separated):
        make()
