"""names, data, what to relax -> the model settled and its log joint: the phases before any inference, in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppl.compile.joint import LogJoint, compile_joint
from ppl.data.dataset import Dataset
from ppl.language.errors import ModelError, UsageError
from ppl.model.graph import Model
from ppl.model.names import Names
from ppl.model.settle import settle
from ppl.rewrite.guards import without_needless_guards
from ppl.rewrite.sum_out import SummedOut, sum_out
from ppl.values import dataclass

if TYPE_CHECKING:
    from ppl.rewrite.relax import Relaxed

TEMPERATURE = 0.2


@dataclass(frozen=True, slots=True)
class Relaxing:
    """Discrete latents of these names are not summed out, but relaxed at a temperature."""

    names: tuple[str, ...]
    temperature: float

    @staticmethod
    def of(names: tuple[str, ...], temperature: float | None) -> Relaxing | None:
        """None for no names. Raises `UsageError`."""
        if not names:
            if temperature is not None:
                raise UsageError("temperature: of what is relaxed; name discrete latents by relax")
            return None
        chosen = TEMPERATURE if temperature is None else temperature
        if isinstance(chosen, bool) or not isinstance(chosen, int | float) or not 0 < chosen < float("inf"):
            raise UsageError(f"temperature: a number above 0, such as {TEMPERATURE:g}, not {chosen!r}")
        return Relaxing(tuple(dict.fromkeys(names)), float(chosen))


def compiled(
    names: Names, data: Dataset, relaxing: Relaxing | None
) -> tuple[Model, LogJoint, SummedOut | None, Relaxed | None]:
    """Raises `ModelError` where model and data do not fit, or where it cannot be summed over discrete latents."""
    settled = without_needless_guards(settle(names, data))
    if relaxing is not None:
        from ppl.compile.hard_joint import hard_joint
        from ppl.rewrite.relax import drawn, relaxed

        soft = relaxed(settled, relaxing.names, relaxing.temperature)
        model = drawn(settled, soft.names)
        return model, hard_joint(model), None, soft
    try:
        summed = sum_out(settled)
    except ModelError as error:
        from ppl.rewrite.relax import with_way_out

        raise with_way_out(settled, error) from None
    return settled, compile_joint(settled, summed), summed, None
