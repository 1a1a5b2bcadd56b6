"""what a rung found <-> a piece that can be kept, numbers to the last bit.

The joint is not kept: the coordinates it is in are, and it is compiled from them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ppl.compile.blocks import Centring
from ppl.compile.conditional import StandIn
from ppl.infer.importance import Weights
from ppl.infer.objective import MeanField
from ppl.infer.pipeline import Approximation
from ppl.infer.verdict import Evidence
from ppl.infer.watch import Piece

_OF_CENTRING = ("share", "location", "scale")


def as_piece(found: Approximation, centring: Mapping[str, Centring | StandIn], words: Mapping[str, Any]) -> Piece:
    """An approximation, the latents that are centred in part, and words that go with them."""
    arrays = {"mu": found.guide.mu, "log_sigma": found.guide.log_sigma, "z": found.z}
    arrays |= {"weights": found.weights.weights, "modes": found.modes}
    typical: Mapping[str, np.ndarray] = {}
    for i, centred in enumerate(centring.values()):
        parts = ("precision", "pull") if isinstance(centred, StandIn) else _OF_CENTRING
        arrays |= {f"{name}_{i}": getattr(centred, name) for name in parts}
        typical = centred.typical if isinstance(centred, StandIn) else typical
    arrays |= {f"typical_{i}": value for i, value in enumerate(typical.values())}
    own = {
        "pareto_k": float(found.weights.pareto_k),
        "evidence": {name: _plain(value) for name, value in asdict(found.evidence).items()},
        "evaluations": int(found.evaluations),
        "elbo": float(found.elbo),
        "path": [float(elbo) for elbo in found.path],
        "centred": list(centring),
        "stand_ins": [name for name, centred in centring.items() if isinstance(centred, StandIn)],
        "typical": list(typical),
    }
    return Piece({**words, "found": own}, arrays)


def in_order(found: Approximation) -> Approximation:
    """With arrays laid out as they are when they are read again: sums over others may differ in their last bits."""
    z, modes = np.ascontiguousarray(found.z), np.ascontiguousarray(found.modes)
    guide = MeanField(np.ascontiguousarray(found.guide.mu), np.ascontiguousarray(found.guide.log_sigma))
    weights = replace(found.weights, weights=np.ascontiguousarray(found.weights.weights))
    return replace(found, guide=guide, z=z, modes=modes, weights=weights)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def approximation(piece: Piece) -> Approximation:
    """Raises `KeyError` and `TypeError` where the piece is not that of an approximation."""
    arrays, own = piece.arrays, piece.words["found"]
    where = {rule: tuple(names) for rule, names in own["evidence"]["where"].items()}
    return Approximation(
        guide=MeanField(arrays["mu"], arrays["log_sigma"]),
        z=arrays["z"],
        weights=Weights(arrays["weights"], own["pareto_k"]),
        evidence=Evidence(**{**own["evidence"], "where": where}),
        evaluations=own["evaluations"],
        elbo=own["elbo"],
        modes=arrays["modes"],
        path=tuple(own["path"]),
    )


def centring(piece: Piece) -> dict[str, Centring | StandIn]:
    """By latent, of those that are centred in part."""
    own, arrays = piece.words["found"], piece.arrays
    typical = {name: arrays[f"typical_{i}"] for i, name in enumerate(own["typical"])}
    found: dict[str, Centring | StandIn] = {}
    for i, name in enumerate(own["centred"]):
        if name in own["stand_ins"]:
            found[name] = StandIn(arrays[f"precision_{i}"], arrays[f"pull_{i}"], typical)
        else:
            found[name] = Centring(*(arrays[f"{part}_{i}"] for part in _OF_CENTRING))
    return found
