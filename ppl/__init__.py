"""A probabilistic programming mini-language with automatic variational inference."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ppl.version import VERSION as __version__

if TYPE_CHECKING:
    from ppl.api import Fit, Model, Posterior, from_text, load, read_fit
    from ppl.data.row_groups import stream
    from ppl.language.errors import DataError, FileError, ModelError, PplError, UsageError, VerdictError
    from ppl.report.summary import Summary

__all__ = [
    "DataError",
    "FileError",
    "Fit",
    "Model",
    "ModelError",
    "Posterior",
    "PplError",
    "Summary",
    "UsageError",
    "VerdictError",
    "__version__",
    "from_text",
    "load",
    "read_fit",
    "stream",
]

_HOMES = {
    "ppl.api": ("Fit", "Model", "Posterior", "from_text", "load", "read_fit"),
    "ppl.data.row_groups": ("stream",),
    "ppl.language.errors": ("DataError", "FileError", "ModelError", "PplError", "UsageError", "VerdictError"),
    "ppl.report.summary": ("Summary",),
}


def __getattr__(name: str) -> Any:
    """A public name, its module imported when it is first asked for: `ppl --help` needs none of them."""
    if name == "api":
        return import_module("ppl.api")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
