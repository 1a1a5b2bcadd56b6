"""nothing -> scipy's compiled special functions, without the rest of `scipy.special`.

Importing `scipy.special` costs as much as numpy: it brings what lets it take other kinds of arrays, and with that
numpy.testing, numpy.f2py and unittest. All that ppl calls are ufuncs of one compiled module, which is loaded here by
itself: for that moment an empty package stands where `scipy.special` would. Where that does not work, with a scipy that
is laid out in another way, the whole of it is imported. The functions are the same objects in either case.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy

_WHOLE, _COMPILED = "scipy.special", "scipy.special._ufuncs"
NEEDED = (
    "betainc", "betaincc", "betaincinv", "betaln", "chdtrc", "erf", "erfcx", "erfinv", "expit", "gamma",
    "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammaln", "i0e", "i1e", "log_ndtr", "logit", "ndtr",
    "ndtri", "owens_t", "psi", "stdtr", "stdtrit", "xlog1py", "xlogy", "_zeta",
)  # fmt: skip


def load() -> ModuleType:
    """The module of compiled functions, or `scipy.special` itself where it is there already or cannot be avoided."""
    if _WHOLE not in sys.modules:
        found = _alone()
        if found is not None and all(hasattr(found, name) for name in NEEDED):
            return found
    return import_module(_WHOLE)


def _alone() -> ModuleType | None:
    stand_in = ModuleType(_WHOLE)
    stand_in.__path__ = [str(Path(scipy.__file__).parent / "special")]
    sys.modules[_WHOLE] = stand_in
    try:
        return import_module(_COMPILED)
    except Exception:  # whatever another scipy does here, the whole package can still be imported
        return None
    finally:
        del sys.modules[_WHOLE]


special = load()


def polygamma(n: int, x: Any) -> np.ndarray:
    """The n-th derivative of digamma, n from 1 on, as scipy has it: (-1)^(n + 1) n! zeta(n + 1, x)."""
    zeta = special._zeta if hasattr(special, "_zeta") else special.zeta
    return np.asarray((-1.0) ** (n + 1) * special.gamma(n + 1.0) * zeta(n + 1, x))
