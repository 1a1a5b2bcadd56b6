"""the name of a guide, a number of coordinates -> the guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ppl.infer.stochastic.flow import Flow, inverse_autoregressive, planar, real_nvp
from ppl.infer.stochastic.gaussians import Factorised, Factors, FullCovariance, Point
from ppl.infer.stochastic.guide import Guide

_RANK = 10

FLOWS: Mapping[str, Callable[[int], Flow]] = {
    "planar": planar,
    "realnvp": real_nvp,
    "iaf": inverse_autoregressive,
}
NAMED: Mapping[str, Callable[[int], Guide]] = {
    "point": Point,
    "meanfield": Factorised,
    "fullrank": FullCovariance,
    "lowrank": lambda dimension: Factors(dimension, min(_RANK, dimension)),
    **FLOWS,
}
