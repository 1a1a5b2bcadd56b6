"""`Param`: what stands for a distribution where a name is not integrated over, but estimated as one point."""

from __future__ import annotations

import numpy

from ppl.model.distributions.family import Family, Form, Parameter, Requirement, Support

INIT = Requirement("a number", lambda x: ~numpy.isinf(x), infinite=True)  # no number where none is given

PARAM = Family(
    "Param",
    (Form((Parameter("init", INIT, default=numpy.nan),), lambda x, init: 0.0 * x),),
    Support("real"),
    draw=lambda rng, shape, init: numpy.full(shape, numpy.nan),
    mean=lambda init: init,
    renormalised=False,
)

FAMILIES = (PARAM,)
