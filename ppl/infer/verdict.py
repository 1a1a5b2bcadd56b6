"""what a fit showed of itself -> verdict: a table of rules, each with a number, thresholds, a sentence and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ppl.infer.importance import good_k


class Verdict(StrEnum):
    GOOD = "good"
    USABLE = "usable"
    DO_NOT_USE = "do not use"


@dataclass(frozen=True, slots=True)
class Rule:
    """`good` and `usable` are the largest values of the number that deserve the word."""

    name: str
    good: float
    usable: float
    sentence: str  # with {value} and {limit}
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule applied to a fit."""

    rule: Rule
    value: float
    verdict: Verdict

    @property
    def sentence(self) -> str:
        return self.rule.sentence.format(value=self.value, limit=self.rule.good)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers that the rules look at. Steps and errors are in posterior sds."""

    newton_step: float
    not_definite: float  # 1 where the Hessian at the optimum was not positive definite, or too large to look at
    draw_error: float
    pareto_k: float
    draws: int  # proposals
    effective: float  # of the weighted draws
    rivals: int  # other modes that ways up from other starts ended in


def rules(draws: int) -> dict[str, Rule]:
    """The rules by the evidence they look at; the threshold of Pareto k depends on the number of draws."""
    return {
        "newton_step": Rule(
            "convergence", 0.01, 0.01,
            "the optimiser stopped {value:.2g} posterior sds short of the optimum",
            "look for latents that the data say nothing about, and give them tighter priors",
        ),
        "not_definite": Rule(
            "definiteness", 0.0, 0.0,
            "at the optimum the posterior is not curved downwards in every direction",
            "look for latents that only appear together, or write a hierarchy as offset times scale",
        ),
        "rivals": Rule(
            "rival modes", 0, 0,
            "starts from other points ended in {value:.0f} other modes of similar weight",
            "look for signs that can flip or components that can change places, and bound or order them",
        ),
        "draw_error": Rule(
            "draw error", 0.1, 0.25,
            "fresh draws move the optimum by {value:.2g} posterior sds",
            "allow more draws: --guide-draws",
        ),
        "pareto_k": Rule(
            "Pareto k", good_k(draws), good_k(draws),
            "Pareto k is {value:.2f} (good below {limit:.2f}): the guide does not cover the posterior",
            "write a hierarchy as offset times scale, or give scales tighter priors",
        ),
        "inefficiency": Rule(
            "effective draws", 1 / 400, 1 / 100,
            "the weighted draws are worth few independent ones (1/ESS = {value:.2g})",
            "write a hierarchy as offset times scale, or ask for more draws",
        ),
    }  # fmt: skip


def _rate(rule: Rule, value: float) -> Verdict:
    if value <= rule.good:
        return Verdict.GOOD
    return Verdict.USABLE if value <= rule.usable else Verdict.DO_NOT_USE


def judge(evidence: Evidence) -> tuple[Verdict, list[Finding]]:
    """The verdict, which is the worst finding, and all findings in the order of the rules."""
    numbers = {
        "newton_step": evidence.newton_step,
        "not_definite": evidence.not_definite,
        "rivals": evidence.rivals,
        "draw_error": evidence.draw_error,
        "pareto_k": evidence.pareto_k,
        "inefficiency": 1 / max(evidence.effective, 1e-300),
    }
    findings = []
    for key, rule in rules(evidence.draws).items():
        value = numbers[key]
        findings.append(Finding(rule, value, _rate(rule, value)))
    order = [Verdict.GOOD, Verdict.USABLE, Verdict.DO_NOT_USE]
    return max((finding.verdict for finding in findings), key=order.index), findings
