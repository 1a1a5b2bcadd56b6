"""fixed seeds -> models/*.csv: the published eight schools, and invented tables for the other examples.

Each table has a generator of its own, so that changing one leaves the others as they are. The true values stand in the
functions; values are rounded as whoever wrote the table down would have rounded them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parents[2] / "models"

# Rubin (1981), table 1: the estimated effect of coaching on the SAT-V score in each school, and its standard error.
EIGHT_SCHOOLS = (
    ("Choate", 28, 15), ("Deerfield", 8, 10), ("Phillips Andover", -3, 16), ("Phillips Exeter", 7, 11),
    ("Hotchkiss", -1, 9), ("Lawrenceville", 1, 11), ("St. Paul's", 18, 10), ("Mt. Hermon", 12, 18),
)  # fmt: skip

VILLAGES = (
    "Ashcombe", "Birkby", "Coldbrook", "Dunmore", "Eastwell", "Fernhill", "Glenside", "Harrow Mill", "Ingleby",
    "Kirkton", "Larkfield", "Marsh End", "Netherby", "Oakley", "Penwick", "Quarndon",
)  # fmt: skip


def normal_mean() -> None:
    """24 bags of flour from a machine that fills 1003 g on average, on a scale with an sd of 4 g."""
    rng = np.random.default_rng(101)
    weight = rng.normal(1003.0, 4.0, 24)
    write("normal_mean", "bag,weight", ((i + 1, f"{w:.1f}") for i, w in enumerate(weight)))


def beta_binomial() -> None:
    """8 trays of seed of which 83 % germinate."""
    rng = np.random.default_rng(102)
    sown = rng.choice([40, 60, 80], 8)
    germinated = rng.binomial(sown, 0.83)
    write("beta_binomial", "tray,sown,germinated", zip("ABCDEFGH", sown, germinated, strict=True))


def linear_regression() -> None:
    """The day of the year on which a lake's ice breaks up, 1952 to 2013: a trend, a mild March, deep snow."""
    rng = np.random.default_rng(103)
    year = np.arange(1952, 2014)
    march = np.round(-4.5 + 0.03 * (year - 1982.5) + rng.normal(0, 2.2, len(year)), 1)
    snow = np.round(rng.gamma(9, 5, len(year)))
    breakup = np.round(119 - 0.13 * (year - 1982.5) - 1.9 * march + 0.11 * snow + rng.normal(0, 4.5, len(year)))
    rows = zip(year, march, snow.astype(int), breakup.astype(int), strict=True)
    write("linear_regression", "year,march,snow,breakup", rows)


def eight_schools() -> None:
    write("eight_schools", "school,y,sigma", EIGHT_SCHOOLS)


def varying_intercepts() -> None:
    """Barley on the fields of 16 villages that differ, partly through their rainfall."""
    rng = np.random.default_rng(105)
    rain = np.round(rng.uniform(250, 550, len(VILLAGES)), -1).astype(int)
    fertility = 4.2 + 0.5 * (rain - 400) / 100 + rng.normal(0, 0.5, len(VILLAGES))
    rows = []
    for village, mm, mean, fields in zip(VILLAGES, rain, fertility, rng.integers(6, 15, len(VILLAGES)), strict=True):
        nitrogen = 5 * rng.integers(0, 25, fields)
        harvest = mean + 0.014 * nitrogen + rng.normal(0, 0.6, fields)
        rows += [(village, mm, kg, f"{t:.2f}") for kg, t in zip(nitrogen, harvest, strict=True)]
    write("varying_intercepts", "village,rain,nitrogen,harvest", rows)


def logistic() -> None:
    """Which of 180 hives of bees live through the winter."""
    rng = np.random.default_rng(106)
    mites = np.round(rng.gamma(2.0, 1.6, 180), 1)
    stores = np.round(rng.normal(15, 3.5, 180), 1)
    treated = rng.random(180) < 0.55
    eta = -1.6 - 0.45 * mites + 0.2 * stores + 1.1 * treated
    survived = (rng.random(180) < 1 / (1 + np.exp(-eta))).astype(int)
    rows = zip(range(1, 181), mites, stores, np.where(treated, "yes", "no"), survived, strict=True)
    write("logistic", "hive,mites,stores,treated,survived", rows)


def poisson() -> None:
    """Accidents at 70 junctions, each watched over a number of years of its own."""
    rng = np.random.default_rng(107)
    years = rng.integers(2, 11, 70)
    traffic = np.round(np.exp(rng.normal(2.3, 0.5, 70)), 1)
    kind = rng.choice(["crossing", "roundabout", "signals"], 70, p=[0.4, 0.25, 0.35])
    effect = np.select([kind == "roundabout", kind == "signals"], [-0.7, -0.3], 0.0)
    accidents = rng.poisson(years * np.exp(-1.9 + 0.8 * np.log(traffic) + effect))
    write(
        "poisson",
        "junction,kind,traffic,years,accidents",
        zip(range(1, 71), kind, traffic, years, accidents, strict=True),
    )


def robust_regression() -> None:
    """What a house burns on 90 winter days; on seven of them somebody was away, or had left a window open."""
    rng = np.random.default_rng(108)
    outside = np.round(rng.normal(3.0, 4.5, 90), 1)
    energy = 62 - 2.6 * outside + rng.normal(0, 3.0, 90)
    odd = rng.choice(90, 7, replace=False)
    energy[odd] += np.array([-38, -31, 24, -27, 33, 19, -35])
    rows = ((i + 1, t, f"{kwh:.1f}") for i, (t, kwh) in enumerate(zip(outside, energy, strict=True)))
    write("robust_regression", "day,outside,energy", rows)


def write(name: str, header: str, rows: Iterable[Iterable[object]]) -> None:
    """models/NAME.csv."""
    with (MODELS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def main() -> None:
    for example in (
        normal_mean, beta_binomial, linear_regression, eight_schools, varying_intercepts, logistic, poisson,
        robust_regression,
    ):  # fmt: skip
        example()


if __name__ == "__main__":
    main()
