"""Densities of categories where the codes have an axis of their own, beside the general way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from ppl.model.distributions import categories
from tests.witness import assert_close

SHAPES = [
    ((4, 1, 1), (3, 1, 5, 6)), ((4, 1), (3, 1, 6)), ((4,), (3, 1)), ((4, 1, 1), (3,)), ((1, 4, 1), (3, 2, 1, 6)),
    ((4, 1, 1), (3, 1, 1, 1)), ((1, 4, 1), (2, 1, 1, 6)), ((1, 4), (2, 1, 1)), ((1, 4, 1), ()),
]  # fmt: skip


@pytest.mark.parametrize("density", [categories.categorical, categories.categorical_logit])
@pytest.mark.parametrize("count", [3, 4, 6])
@pytest.mark.parametrize(("codes", "plates"), SHAPES)
def test_codes_with_an_axis_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
    density: Callable[..., Any],
    count: int,
    codes: tuple[int, ...],
    plates: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(0)
    x = np.arange(4).reshape(codes)
    table = rng.dirichlet(np.ones(count), size=plates if plates else None)
    if density is categories.categorical_logit:
        table = np.log(table) + 1.0
    found = density(x, table)
    finite = np.isfinite(found)
    weights = rng.normal(size=found.shape)

    def total(table: Any) -> Any:
        return anp.sum(anp.where(finite, density(x, table), 0.0) * weights)

    gradient = grad(total)(table)
    monkeypatch.setattr(categories, "_own_axis", lambda x, table: None)
    assert_close(found, density(x, table))
    assert_close(gradient, grad(total)(table))
