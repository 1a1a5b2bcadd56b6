"""Densities of components against scipy's, the stretched ones by the covariance that they are drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ppl.infer import proposals
from ppl.infer.proposals import HEAVY_TAILED_BELOW, Component


@pytest.mark.parametrize("dimension", [1, 3, HEAVY_TAILED_BELOW])
def test_log_densities_of_stretched_components(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    root = np.tril(rng.normal(0, 0.5, (dimension, dimension)))
    root[np.diag_indices(dimension)] = np.exp(rng.normal(size=dimension))
    first = Component(rng.normal(size=dimension), root, 0.5)
    components = [first, *proposals._stretched(first)]
    assert len(components) == dimension + 1
    z = first.mean + 3.0 * rng.normal(size=(50, dimension)) @ root.T
    found = proposals.log_densities(components, z)
    for one, own in zip(components, found, strict=True):
        witness = stats.multivariate_t(one.mean, one.root @ one.root.T, df=7).logpdf(z)
        np.testing.assert_allclose(own - own[0], witness - witness[0], atol=1e-8)
        np.testing.assert_allclose(own - found[0], witness - stats.multivariate_t(
            first.mean, root @ root.T, df=7
        ).logpdf(z), atol=1e-8)  # fmt: skip


def test_many_coordinates_have_gaussian_components() -> None:
    dimension = HEAVY_TAILED_BELOW + 1
    components = [
        Component(np.zeros(dimension), np.eye(dimension)),
        Component(np.ones(dimension), 2 * np.eye(dimension)),
    ]
    z = np.random.default_rng(0).normal(size=(20, dimension))
    found = proposals.log_densities(components, z)
    witness = stats.norm(0, 1).logpdf(z).sum(axis=1) - stats.norm(1, 2).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(found[0] - found[1], witness, atol=1e-10)
