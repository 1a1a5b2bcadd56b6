"""A probabilistic programming mini-language with automatic variational inference."""

from ppl.api import Fit, Model, Posterior, from_text, load, read_fit
from ppl.language.errors import DataError, FileError, ModelError, PplError, UsageError, VerdictError
from ppl.report.summary import Summary
from ppl.version import VERSION as __version__

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
]
