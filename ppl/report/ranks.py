"""ranks of true values among posterior draws -> whether they are uniform, as those of a right posterior are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from ppl.numeric.ufuncs import special
from ppl.values import dataclass

_ROUNDS_A_BIN = 8
_SURE = 0.001  # the chance that any of the scalars of a right posterior is flagged
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Uniformity:
    """Of one scalar: the chi-square test of its ranks, and their mean and sd, (0.5, 0.289) where they are uniform.

    A mean away from 0.5 shows a bias; an sd above 0.289 posteriors that are too narrow, one below it too wide.
    """

    label: str
    p: float
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari, Gelman 2018), by the worst scalar first.

    `rounds` data sets were simulated and fitted, `failed` of them in vain; `doubted` fits were called not to be used.
    `improper` are latents without a proper prior, for whose sake true values were drawn from the posterior given the
    data: the ranks are then only nearly uniform.
    """

    rounds: int
    failed: int
    doubted: int
    improper: tuple[str, ...]
    scalars: tuple[Uniformity, ...]

    @property
    def flagged(self) -> tuple[Uniformity, ...]:
        """The scalars whose p-value is too small for chance, given how many scalars there are."""
        return tuple(scalar for scalar in self.scalars if scalar.p < _SURE / len(self.scalars))


def rank(true: np.ndarray, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where true values (*shape) lie among draws (S, *shape): the share below, ties and the step itself at random."""
    below, level = (draws < true).sum(axis=0), (draws == true).sum(axis=0)
    return np.asarray((below + rng.random(true.shape) * (level + 1)) / (len(draws) + 1))


def uniformity(label: str, ranks: np.ndarray) -> Uniformity:
    """The test of ranks (R,) in [0, 1) over bins of at least `_ROUNDS_A_BIN` each."""
    bins = int(np.clip(len(ranks) // _ROUNDS_A_BIN, 2, 20))
    counts = np.bincount(np.minimum((ranks * bins).astype(int), bins - 1), minlength=bins)
    expected = len(ranks) / bins
    p = float(special.chdtrc(bins - 1, ((counts - expected) ** 2).sum() / expected))
    return Uniformity(label, p, float(ranks.mean()), float(ranks.std()))


def judged(ranks: Mapping[str, np.ndarray], rounds: int, doubted: int, improper: tuple[str, ...]) -> Calibration:
    """`ranks` (R,) of each scalar in those of the `rounds` that gave a fit."""
    scalars = sorted((uniformity(label, found) for label, found in ranks.items()), key=lambda scalar: scalar.p)
    fitted = len(next(iter(ranks.values()))) if ranks else 0
    return Calibration(rounds, rounds - fitted, doubted, improper, tuple(scalars))


def as_text(found: Calibration) -> str:
    lines = [f"{found.rounds} data sets simulated and fitted, {len(found.scalars)} scalars ranked"]
    if found.failed:
        lines.append(f"  {found.failed} could not be fitted, and are left out")
    if found.doubted:
        lines.append(f"  {found.doubted} fits had the verdict `do not use`, and are counted")
    if found.improper:
        names = ", ".join(f"`{name}`" for name in found.improper)
        lines.append(f"  not from the prior, as {names} cannot be drawn from one: true values are draws of the")
        lines.append("  posterior given the data, and ranks only nearly uniform")
    worst = found.scalars[:_MOST_LISTED]
    width = max([len("scalar"), *(len(scalar.label) for scalar in worst)])
    lines += ["", f"{'scalar'.ljust(width)}  p-value  mean rank (0.5)  sd of ranks (0.289)"]
    for scalar in worst:
        lines.append(f"{scalar.label.ljust(width)}  {scalar.p:7.3g}  {scalar.mean:15.3f}  {scalar.sd:19.3f}")
    if len(found.scalars) > len(worst):
        lines.append(f"... {len(found.scalars) - len(worst)} more, with larger p-values")
    names = ", ".join(f"`{scalar.label}`" for scalar in found.flagged[:5])
    told = f"not calibrated: the ranks of {names} are not uniform" if names else "calibrated, as far as can be seen"
    return "\n".join([*lines, "", told])


def as_json(found: Calibration) -> str:
    told = {key: value for key, value in asdict(found).items() if key != "scalars"}
    scalars = {scalar.label: {"p": scalar.p, "mean": scalar.mean, "sd": scalar.sd} for scalar in found.scalars}
    flagged = [scalar.label for scalar in found.flagged]
    return json.dumps({**told, "flagged": flagged, "scalars": scalars}, ensure_ascii=False, indent=1)
