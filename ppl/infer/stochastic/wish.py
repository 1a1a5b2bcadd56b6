"""What a user asks of a stochastic fit, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ppl.infer.stochastic.encoder import ACTIVATIONS
from ppl.infer.stochastic.table import NAMED
from ppl.language.errors import UsageError

_MOST_UNITS = 100_000
_MOST_LAYERS = 20
_MOST_HELD_OUT = 0.5
HIDDEN = (128, 64)


@dataclass(frozen=True, slots=True)
class Wish:
    """`amortise` are latents that an encoder with `hidden` layers gives. None, of a number, means that it is chosen.

    `kl_anneal` are the epochs over which the weight of the KL terms rises from 0 to 1, `validation` the share of the
    rows that are held out, to watch the ELBO of; `label_weight` what the log probability of each known label by the
    encoder counts.
    """

    amortise: tuple[str, ...] = ()
    hidden: tuple[int, ...] = HIDDEN
    activation: str = "tanh"
    batch_size: int | None = None
    epochs: int | None = None
    kl_anneal: float = 0.0
    learning_rate: float | None = None
    guide: str = "meanfield"
    validation: float | None = None
    label_weight: float | None = None

    def checked(self) -> Wish:
        """Raises `UsageError` for what makes no sense whatever the model."""
        if self.guide not in NAMED:
            raise UsageError(f"guide of a stochastic fit: one of {', '.join(NAMED)}, not {self.guide!r}")
        if self.activation not in ACTIVATIONS:
            raise UsageError(f"activation: one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if len(self.hidden) > _MOST_LAYERS or not all(1 <= size <= _MOST_UNITS for size in self.hidden):
            shown = ",".join(str(size) for size in self.hidden)
            raise UsageError(f"encoder: sizes of hidden layers from 1 to {_MOST_UNITS:,}, such as 128,64; not {shown}")
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"batch-size: at least 1 row, not {self.batch_size}")
        if self.epochs is not None and self.epochs < 1:
            raise UsageError(f"epochs: at least 1, not {self.epochs}")
        if not self.kl_anneal >= 0:
            raise UsageError(f"kl-anneal: a number of epochs, not {self.kl_anneal}")
        if self.learning_rate is not None and not 0 < self.learning_rate <= 10:
            raise UsageError(f"learning-rate: above 0 and at most 10, not {self.learning_rate:g}")
        if self.validation is not None and not 0 <= self.validation <= _MOST_HELD_OUT:
            raise UsageError(f"validation: a share of the rows from 0 to {_MOST_HELD_OUT:g}, not {self.validation:g}")
        if self.validation and not self.amortise:
            raise UsageError(
                "validation: rows are held out where an encoder gives their latents; name these by amortise"
            )
        if self.label_weight is not None and not 0 <= self.label_weight < 1e9:
            raise UsageError(f"label-weight: at least 0, not {self.label_weight:g}")
        return self


def hidden_of(text: str) -> tuple[int, ...]:
    """`128,64` -> the sizes of the hidden layers; nothing for none. Raises `UsageError`."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise UsageError(f"encoder: sizes of hidden layers separated by commas, such as 128,64; not {text!r}")
    return tuple(int(part) for part in parts)


def wish_of(
    stochastic: bool, amortise: str | Sequence[str], encoder: Sequence[int] | None, batch_size: Any, epochs: Any,
    learning_rate: Any, kl_anneal: Any, validation: Any, label_weight: Any, guide: str, of_points: bool,
) -> Wish | None:  # fmt: skip
    """From the arguments of a public call; None where nobody asks for such a fit.

    `of_points` says that what only other fits give is asked for too. Raises `UsageError`.
    """
    names = (amortise,) if isinstance(amortise, str) else tuple(amortise)
    given = (encoder, batch_size, epochs, learning_rate, kl_anneal, validation, label_weight)
    if not (stochastic or names or any(value is not None for value in given)):
        return None
    for name, value in (("batch_size", batch_size), ("epochs", epochs), *(("encoder", size) for size in encoder or ())):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise UsageError(f"{name} must be a whole number, not {value!r}")
    numbers = {
        "kl_anneal": kl_anneal, "learning_rate": learning_rate, "validation": validation, "label_weight": label_weight
    }  # fmt: skip
    for name, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{name} must be a number, not {value!r}")
    if encoder is not None and not names:
        raise UsageError("encoder: nothing is to be encoded; name latents of the rows by amortise")
    if of_points:
        raise UsageError("a fit by stochastic gradients has no steps in turn (em), and no standard errors")
    hidden = HIDDEN if encoder is None else tuple(encoder)
    chosen = "meanfield" if guide == "auto" else guide
    unique = tuple(dict.fromkeys(names))
    return Wish(
        unique, hidden, "tanh", batch_size, epochs, kl_anneal or 0.0, learning_rate, chosen, validation, label_weight
    ).checked()
