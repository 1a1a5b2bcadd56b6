"""what a fit showed of itself -> verdict: a table of rules, each with a number, thresholds, a sentence and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum

import numpy as np

from ppl.infer.doubts import listed
from ppl.infer.importance import good_k
from ppl.values import dataclass

MOST_TAIL = 1 / 100  # of 1 / the effective number of draws that an sd rests on


class Verdict(StrEnum):
    GOOD = "good"
    USABLE = "usable"
    DO_NOT_USE = "do not use"


FROM_BEST = (Verdict.GOOD, Verdict.USABLE, Verdict.DO_NOT_USE)


def is_worse(verdict: str, required: str) -> bool:
    """Of two verdicts in words."""
    return FROM_BEST.index(Verdict(verdict)) > FROM_BEST.index(Verdict(required))


@dataclass(frozen=True, slots=True)
class Rule:
    """`good` and `usable` are the largest values of the number that deserve the word."""

    name: str
    good: float
    usable: float
    sentence: str  # with {value}, {limit} and {where}
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule applied to a fit; `value` is None where this fit gives it nothing to look at."""

    rule: Rule
    value: float | None
    verdict: Verdict
    where: tuple[str, ...]

    @property
    def sentence(self) -> str:
        blamed = listed(self.where) if self.where else "all latents together"
        return self.rule.sentence.format(value=self.value, limit=self.rule.good, where=blamed)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers that the rules look at. Steps and errors are in posterior sds. What was not looked at is left out."""

    draws: int  # proposals
    effective: float  # of the weighted draws
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # for some rules, the latents it is about
    newton_step: float = 0.0
    not_definite: float = 0.0  # 1 where the Hessian at the optimum was not positive definite
    flat: float = 0.0  # 1 where the density does not fall along some direction
    draw_error: float = 0.0
    pareto_k: float = 0.0
    rivals: int = 0  # other modes that ways up from other starts ended in, and that the proposals do not reach
    moved_mean: float = 0.0  # by the weights; where they are trusted this is 0
    moved_sd: float = 0.0  # |log| of the ratio
    unseen: int = 0  # coordinates, where they are too many for a Hessian
    unchecked: int = 0  # coordinates, where linear response was not checked by weights or integrals
    surface: float = 0.0  # nats by which the border's density is not the polynomial fitted to it
    misfit: float = 0.0  # how far integrals moved means (in sds) and log sds of groups, given the border
    point: int = 0  # 1 for the posterior mode alone
    wider: float = 0.0  # how far wider proposals moved means, in sds, or log sds
    drift: float | None = None  # of draws of any of several modes by reversible moves, in sds; None where not looked at
    few: int = 0  # 1 where the weights are uneven and more proposals were not made, as other ones are adapted next
    tails: float = 0.0  # 1 / the effective number of draws that an sd rests on
    rhat: float | None = None  # of Hamiltonian chains, the largest; None, as the two below, where none ran
    divergent: float | None = None  # share of their trajectories with small steps
    lacking_energy: float | None = None  # 1 / E-BFMI of chains
    slow_tail: float | None = None  # of latents of chains: 0.55 for a normal, 1.14 for a Cauchy
    stochastic: int | None = None  # 1 where stochastic gradients found it; None, as the next, of other fits
    diverged: int | None = None  # 1 where these diverged
    trained: str = ""  # why they ended
    short: float | None = None  # the longest step that is left after these, in posterior sds
    row_k: float | None = None  # share of rows, of those looked at, whose encoded latents have a Pareto k above 0.7
    unbounded: int | None = None  # 1 where nothing holds a point; None, as the next, where there are no points
    tied: int | None = None  # 1 where other values of points are as good
    interrupted: int = 0  # 1 where further rungs were left, 2 before the first was done


# By the evidence they look at.
RULES: dict[str, Rule] = {
    "unbounded": Rule(
        "boundedness", 0, 0,
        "nothing holds {where}: the likelihood does not fall, however far they go, to a bound or to infinity",
        "give a prior instead of `Param`, or a bound away from there, or leave it out",
    ),
    "tied": Rule(
        "uniqueness", 0, np.inf,
        "other values of {where} are as good as those found: they mean nothing alone",
        "bound, order or fix some of them, or use what does not depend on the choice, such as predictions",
    ),
    "newton_step": Rule(
        "convergence", 0.01, 0.01,
        "the optimiser stopped {value:.2g} posterior sds short of the optimum",
        "look for latents that the data say nothing about, and give them tighter priors",
    ),
    "flat": Rule(
        "flatness", 0.0, 0.0,
        "nothing bounds {where}: along some direction the density does not fall",
        "give proper priors to all of these, or leave one of them out",
    ),
    "not_definite": Rule(
        "definiteness", 0.0, 0.0,
        "at the optimum the posterior is not curved downwards in every direction: {where}",
        "look for latents that only appear together, and give them tighter priors",
    ),
    "unseen": Rule(
        "size", 0, 0,
        "with {value:,.0f} coordinates only a mean field was fitted: where latents correlate its sds are too small",
        "make the model smaller: fewer groups or steps, or latents summed out by hand",
    ),
    "unchecked": Rule(
        "no weights", 0, np.inf,
        "with {value:,.0f} coordinates the Gaussian of the linear response was not checked by weights",
        "see that simulated data look like the data; a hierarchy with few shared latents can be checked",
    ),
    "surface": Rule(
        "smoothness", 0.1, 0.3,
        "the density of the shared latents is {value:.2g} nats off the polynomial that was fitted to it",
        "give scales tighter priors",
    ),
    "misfit": Rule(
        "groups", 0.3, 0.6,
        "given the shared latents, the posterior of {where} is not close to a Gaussian (off by {value:.2g} sds)",
        "write a hierarchy as offset times scale, or centred where its groups have much data",
    ),
    "point": Rule(
        "mode alone", 0, np.inf,
        "this is the posterior mode with the curvature there, not the posterior",
        "leave the guide to auto to see the posterior itself",
    ),
    "diverged": Rule(
        "divergence", 0, 0,
        "the training diverged, and this is the last good state before that",
        "give a lower `--learning-rate`, or tighter priors",
    ),
    "stochastic": Rule(
        "stochastic gradients", 0, np.inf,
        "found by stochastic gradients: nothing proves that this is the optimum, or that the guide covers all",
        "see what it says of rows that were held out (`ppl evaluate`)",
    ),
    "short": Rule(
        "distance", 0.1, 0.3,
        "over all rows the ELBO is highest {value:.2g} posterior sds from what was found",
        "train longer (`--epochs`), or leave the number of epochs to ppl",
    ),
    "row_k": Rule(
        "encoded rows", 0.1, 0.9,
        "in {value:.0%} of the rows looked at, the encoder's guide does not cover the row's latents (Pareto k)",
        "give the encoder more units (`--encoder`), or the guide of rows fewer coordinates",
    ),
    "interrupted": Rule(
        "interruption", 0, np.inf,
        "the fit was interrupted before all that might mend it was tried",
        "let it run to its end; with a checkpoint it can go on from there",
    ),
    "unfinished": Rule(
        "no result", 0, 0,
        "the fit was interrupted before there was a first result",
        "let it run to its end; with a checkpoint it can go on from there",
    ),
    "rivals": Rule(
        "rival modes", 0, 0,
        "starts from other points ended in {value:.0f} other modes of similar weight, apart in {where}",
        "look for signs that can flip or components that can change places, and bound or order them",
    ),
    "draw_error": Rule(
        "draw error", 0.1, 0.25,
        "fresh draws move the optimum by {value:.2g} posterior sds",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "pareto_k": Rule(
        "Pareto k", 0.7, 0.7,  # less for few draws
        "Pareto k is {value:.2f} (good below {limit:.2f}): the guide does not cover the posterior of {where}",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "few": Rule(
        "few proposals", 0, np.inf,
        "with Pareto k above 0.5 only a few proposals were looked at",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "wider": Rule(
        "wider proposals", 0.1, 0.3,
        "wider proposals move mean or log sd of {where} by {value:.2g} sds: others may still miss a tail",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "drift": Rule(
        "drift", 0.1, 0.3,
        "draws of a mode are carried off by {value:.2g} sds, in {where}, by moves that leave a posterior as it is",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "moved_mean": Rule(
        "moved means", 0.25, 0.5,
        "the weights move the mean of {where} by {value:.2g} sds, and among so many coordinates may miss as much",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "moved_sd": Rule(
        "moved sds", 0.1, 0.25,
        "the weights change the sd of {where} by {value:.0%}, and among so many coordinates may miss as much",
        "let `--guide auto` try chains, or give scales tighter priors",
    ),
    "tails": Rule(
        "tails", MOST_TAIL, np.inf,
        "mean and sd of {where} rest on a few far draws (1/ESS = {value:.2g}): they may not exist",
        "read quantiles, or give it a prior with lighter tails",
    ),
    "rhat": Rule(
        "R-hat", 1.01, 1.05,
        "chains from different starts do not agree on {where} (nested R-hat is {value:.3f})",
        "bound or order what can change places, or give scales tighter priors",
    ),
    "divergent": Rule(
        "divergences", 0.001, 0.05,
        "chains cannot enter a narrow part of the posterior, in {where} ({value:.1%} of short steps diverge)",
        "give scales tighter priors, or leave out what the data cannot tell apart",
    ),
    "lacking_energy": Rule(
        "1 / E-BFMI", 1 / 0.2, np.inf,
        "chains move slowly between the narrow and the wide parts of the posterior (1/E-BFMI is {value:.1f})",
        "give scales tighter priors, or priors with lighter tails",
    ),
    "slow_tail": Rule(
        "propriety", 1.35, 1.5,
        "the tails of {where} fall so slowly ({value:.2f}, a Cauchy 1.14) that the posterior may not be proper",
        "give it a proper prior, or one with lighter tails",
    ),
    "inefficiency": Rule(
        "1 / effective draws", 1 / 400, 1 / 100,
        "the draws are worth few independent ones (1/ESS = {value:.2g})",
        "ask for more draws, or give scales tighter priors",
    ),
}  # fmt: skip


def rules(draws: int) -> dict[str, Rule]:
    """The rules; the threshold of Pareto k depends on the number of draws."""
    return RULES | {"pareto_k": replace(RULES["pareto_k"], good=good_k(draws), usable=good_k(draws))}


OF_SOME = ("unbounded", "tied", "stochastic", "diverged", "short", "row_k", "drift")  # of points, mixtures and more


def _rate(rule: Rule, value: float | None) -> Verdict:
    if value is None or value <= rule.good:
        return Verdict.GOOD
    return Verdict.USABLE if value <= rule.usable else Verdict.DO_NOT_USE


def judge(evidence: Evidence) -> tuple[Verdict, list[Finding]]:
    """The verdict, which is the worst finding, and all findings in the order of the rules.

    What follows from another finding has no number: without an optimum there is no distance to it. Nor has what a mean
    field alone, where there are too many coordinates for a Hessian or where it was interrupted, does not show.
    """
    alone = bool(evidence.unseen) or evidence.interrupted > 1
    chains = evidence.rhat is not None
    numbers: dict[str, float | None] = {
        "unbounded": evidence.unbounded,
        "tied": evidence.tied,
        "newton_step": None if evidence.not_definite or evidence.unbounded or alone or chains else evidence.newton_step,
        "flat": None if alone else evidence.flat,
        "not_definite": None if evidence.flat or alone or chains else evidence.not_definite,
        "unseen": evidence.unseen,
        "unchecked": evidence.unchecked,
        "surface": evidence.surface,
        "misfit": evidence.misfit,
        "point": evidence.point,
        "diverged": evidence.diverged,
        "stochastic": evidence.stochastic,
        "short": evidence.short,
        "row_k": evidence.row_k,
        "interrupted": int(evidence.interrupted == 1),
        "unfinished": int(evidence.interrupted > 1),
        "rivals": None if alone else evidence.rivals,
        "draw_error": None if evidence.not_definite or alone or chains else evidence.draw_error,
        "pareto_k": None if alone or chains else evidence.pareto_k,
        "few": None if alone or chains else evidence.few,
        "wider": None if alone or chains else evidence.wider,
        "drift": evidence.drift,
        "moved_mean": None if alone or chains else evidence.moved_mean,
        "moved_sd": None if alone or chains else evidence.moved_sd,
        "tails": evidence.tails,
        "rhat": evidence.rhat,
        "divergent": evidence.divergent,
        "lacking_energy": evidence.lacking_energy,
        "slow_tail": evidence.slow_tail,
        "inefficiency": 1 / max(evidence.effective, 1e-300),
    }
    findings = []
    for key, rule in rules(evidence.draws).items():
        value = numbers[key]
        if value is None and key in OF_SOME:
            continue
        findings.append(Finding(rule, value, _rate(rule, value), evidence.where.get(key, ())))
    return max((finding.verdict for finding in findings), key=FROM_BEST.index), findings


def could_help(evidence: Evidence) -> bool:
    """Whether another guide in the same place can mend what was found: not where nothing bounds the posterior, nor
    where other modes are all that is wrong.
    """
    if evidence.flat:
        return False
    return not evidence.rivals or judge(replace(evidence, rivals=0))[0] != Verdict.GOOD
