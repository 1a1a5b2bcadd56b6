"""Every family in every form beside its twin in scipy: densities, draws, means, distribution functions, gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad as gradient
from scipy import special, stats

from ppl.model.distributions.family import COUNT, KERNEL, SYMMETRIC, WHOLE, Family, Form, canonical
from ppl.model.distributions.series import ADJACENCY, POSITION
from ppl.model.distributions.table import FAMILIES
from tests.model.twins import BROAD, TAME, TWINS, WILD, K, Law, Rng, Shape, Twin, everywhere, sums_of_nine, within
from tests.witness import assert_close, assert_gradients


def cases(wanted: Callable[[Family], bool] = lambda family: True) -> list[Any]:
    """Every form of the families that are wanted, beside its twin. Those of matrices have tests of their own."""
    return [
        pytest.param(family, form, twin, id=f"{name}({', '.join(p.name for p in form.parameters)})")
        for name, family in FAMILIES.items()
        if wanted(family) and family.event_rank < 2
        for form, twin in zip(family.forms, TWINS.get(name, ()), strict=False)
    ]


OF_ANY_LENGTH = ("GaussianRandomWalk", "AR")  # parameters do not tell how many values there are, so no mean
KNOWN = (COUNT, WHOLE, POSITION, ADJACENCY)  # what no gradient goes through
MATRICES = (SYMMETRIC, KERNEL)


def is_proper(family: Family) -> bool:
    return family.renormalised


def has_tails(family: Family) -> bool:
    return family.log_cdf is not None


def has_quantile(family: Family) -> bool:
    return family.quantile is not None


every_form = pytest.mark.parametrize(("family", "form", "twin"), cases())
every_proper_form = pytest.mark.parametrize(("family", "form", "twin"), cases(is_proper))
every_form_with_tails = pytest.mark.parametrize(("family", "form", "twin"), cases(has_tails))
every_form_with_quantile = pytest.mark.parametrize(("family", "form", "twin"), cases(has_quantile))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """As the callers of densities do; scipy's own warnings do not count either."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(1)


def make_parameters(rng: Rng, form: Form, twin: Twin, decades: float, *shapes: Shape) -> tuple[np.ndarray, ...]:
    """Values of a form's parameters, the shapes of their plates in turn."""
    return tuple(make(rng, shapes[i % len(shapes)], decades) for i, make in enumerate(twin.parameters))


def make_points(rng: Rng, family: Family, shape: Shape, law: Law, points: Callable[..., np.ndarray]) -> np.ndarray:
    return np.asarray(points(rng, (*shape, *(K,) * family.event_rank), law), dtype=float)


def test_every_family_has_a_twin_for_each_form() -> None:
    assert {name: len(forms) for name, forms in TWINS.items()} == {
        name: len(family.forms) for name, family in FAMILIES.items()
    }


@every_form
@pytest.mark.parametrize("decades", [TAME, BROAD, WILD])
def test_log_prob(rng: Rng, family: Family, form: Form, twin: Twin, decades: float) -> None:
    parameters = make_parameters(rng, form, twin, decades, (1000,))
    law = twin.law(*parameters)
    x = make_points(rng, family, (1000,), law, twin.points)
    witness = twin.log_prob or (lambda x, *_: law.logpmf(x) if family.discrete else law.logpdf(x))
    assert_close(form.log_prob(x, *parameters), witness(x, *parameters))


@every_proper_form
def test_draws(rng: Rng, family: Family, form: Form, twin: Twin) -> None:
    """Their probabilities are uniform; parameters differ by draw and by plate. A jump's is spread over it."""
    draws, plates = 20_000, 3
    parameters = make_parameters(rng, form, twin, TAME, (draws, 1), (plates,))
    event = (K,) * family.event_rank
    x = family.draw(rng, (draws, plates, *event), *canonical(form, parameters))
    assert x.shape == (draws, plates, *event)
    law = twin.law(*parameters)
    below = law.cdf(x - 1) if family.discrete else law.cdf(x)
    u = below + rng.random(x.shape) * (law.cdf(x) - below)
    for column in u.reshape(draws, -1).T:
        assert stats.kstest(column, "uniform", method="asymp").pvalue > 1e-4


@every_proper_form
@pytest.mark.parametrize("decades", [TAME, BROAD])
def test_mean(rng: Rng, family: Family, form: Form, twin: Twin, decades: float) -> None:
    parameters = make_parameters(rng, form, twin, decades, (1000, 1), (2,))
    if family.mean is None:
        told = family.support.kind != "category" and family.name not in OF_ANY_LENGTH
        assert not told or not np.isfinite(twin.law(*parameters).mean()).any()
        return
    expected = twin.law(*parameters).mean()
    found = np.broadcast_to(family.mean(*canonical(form, parameters)), expected.shape)
    exists = np.isfinite(expected)
    assert exists.any()
    assert_close(found[exists], expected[exists])


@every_form_with_tails
@pytest.mark.parametrize("decades", [TAME, BROAD])
def test_log_cdf_and_log_sf(rng: Rng, family: Family, form: Form, twin: Twin, decades: float) -> None:
    parameters = make_parameters(rng, form, twin, decades, (1000,))
    law = twin.law(*parameters)
    x = make_points(rng, family, (1000,), law, everywhere)
    lower, upper = law.support()
    told = (law.cdf(x) > twin.least) | (x < lower) | ((x == lower) & (not family.discrete))
    assert_close(family.log_cdf(x, *canonical(form, parameters))[told], law.logcdf(x)[told])
    told = (law.sf(x) > twin.least) | (x >= upper)
    assert_close(family.log_sf(x, *canonical(form, parameters))[told], law.logsf(x)[told])


@every_form_with_quantile
@pytest.mark.parametrize("decades", [TAME, BROAD])
def test_quantile(rng: Rng, family: Family, form: Form, twin: Twin, decades: float) -> None:
    parameters = make_parameters(rng, form, twin, decades, (1000,))
    law = twin.law(*parameters)
    small = 10 ** -rng.uniform(0, 15, 1000)
    u = np.choose(rng.integers(0, 3, 1000), [rng.random(1000), small, 1 - small])
    u = np.clip(u, twin.least, 1 - twin.least)
    x = family.quantile(u, *canonical(form, parameters))
    assert_close(x, np.where(u < 0.5, law.ppf(u), law.isf(1 - u)), absolute=0)


LAYOUTS = {
    "all the same": ((40,), (40,)),
    "draws of parameters": ((9,), (6, 1)),
    "draws of values": ((6, 9), (9,)),
}


def points_within(rng: Rng, family: Family, law: Law, shape: Shape, plates: Shape) -> np.ndarray:
    """Points of that shape inside the support; where one serves many parameters, of their points that nearest 0, or
    the largest, where a parameter is the lower end."""
    points = sums_of_nine if family.support.kind == "counts" else within
    x = make_points(rng, family, np.broadcast_shapes(shape, plates), law, points)
    if len(shape) >= len(plates) or family.support.kind == "counts":
        return x if len(shape) >= len(plates) else x[0]
    starts_late = family.support.lower == "scale"
    chosen = x.argmax(axis=0, keepdims=True) if starts_late else np.abs(x).argmin(axis=0, keepdims=True)
    return np.take_along_axis(x, chosen, axis=0)[0]


@every_form
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_of_log_prob(rng: Rng, family: Family, form: Form, twin: Twin, layout: str) -> None:
    of_values, of_parameters = LAYOUTS[layout]
    parameters = make_parameters(rng, form, twin, TAME, of_parameters)
    x = points_within(rng, family, twin.law(*parameters), of_values, of_parameters)
    kinds = [p.requirement for p in form.parameters]
    by = [i + 1 for i, kind in enumerate(kinds) if kind not in KNOWN and kind not in MATRICES]
    assert_gradients(form.log_prob, x, *parameters, by=by if family.discrete else [0, *by])
    by = [i + 1 for i, kind in enumerate(kinds) if kind in MATRICES]
    assert_gradients(form.log_prob, x, *parameters, by=by, symmetric=True)


@every_form_with_tails
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("tail", ["log_cdf", "log_sf"])
def test_gradient_of_tail(rng: Rng, family: Family, form: Form, twin: Twin, layout: str, tail: str) -> None:
    of_values, of_parameters = LAYOUTS[layout]
    parameters = make_parameters(rng, form, twin, TAME, of_parameters)
    x = points_within(rng, family, twin.law(*parameters), of_values, of_parameters)
    by = [i + 1 for i, p in enumerate(form.parameters) if p.requirement not in (COUNT, WHOLE)]
    by = by if family.discrete else [0, *by]
    finite = np.isfinite(getattr(family, tail)(x, *canonical(form, parameters)))  # all but the last of counts

    def masked(x: Any, *given: Any) -> Any:
        return anp.where(finite, getattr(family, tail)(x, *canonical(form, given)), 0.0)

    assert finite.any()
    assert_gradients(masked, x, *parameters, by=by)


# -- corners ----------------------------------------------------------------------------------------------------------


def log_incomplete_gamma(a: float, x: float) -> float:
    """The lower part as a share of the whole, by Kummer's function."""
    return a * np.log(x) - x - special.gammaln(a + 1) + np.log(special.hyp1f1(1, a + 1, x))


@pytest.mark.parametrize(
    ("name", "tail", "parameters", "x", "expected"),
    [
        ("Normal", "log_cdf", (1.0, 0.5), -1e4, stats.norm(1, 0.5).logcdf(-1e4)),
        ("Normal", "log_sf", (1.0, 0.5), 1e4, stats.norm(1, 0.5).logsf(1e4)),
        ("StudentT", "log_cdf", (4.0, 1.0, 2.0), -2e90, np.log(3) - 4 * np.log(1e90)),
        ("StudentT", "log_sf", (4.0, 1.0, 2.0), 2e90, np.log(3) - 4 * np.log(1e90)),
        ("Laplace", "log_cdf", (1.0, 0.5), -1e4, -20_002 - np.log(2)),
        ("Laplace", "log_sf", (1.0, 0.5), 1e4, -19_998 - np.log(2)),
        ("Logistic", "log_cdf", (1.0, 0.5), -1e4, -20_002),
        ("Logistic", "log_sf", (1.0, 0.5), 1e4, -19_998),
        ("HalfNormal", "log_sf", (0.5,), 1e4, np.log(2) + stats.norm.logsf(2e4)),
        ("HalfStudentT", "log_sf", (4.0, 2.0), 2e90, np.log(6) - 4 * np.log(1e90)),
        ("LogNormal", "log_cdf", (1.0, 0.01), 0.5, stats.norm(1, 0.01).logcdf(np.log(0.5))),
        ("LogNormal", "log_sf", (1.0, 0.01), 9.0, stats.norm(1, 0.01).logsf(np.log(9))),
        ("Exponential", "log_sf", (2.0,), 1e3, -2e3),
        ("Gamma", "log_cdf", (400.0, 2.0), 0.5, log_incomplete_gamma(400, 1)),
        ("Gamma", "log_sf", (3.0, 2.0), 1e3, -2e3 + np.log(1 + 2e3 + 2e6)),
        ("InvGamma", "log_cdf", (3.0, 2.0), 1e-3, -2e3 + np.log(1 + 2e3 + 2e6)),
        ("InvGamma", "log_sf", (400.0, 2.0), 2.0, log_incomplete_gamma(400, 1)),
        ("Weibull", "log_cdf", (400.0, 2.0), 0.1, 400 * np.log(0.05)),
        ("Weibull", "log_sf", (3.0, 2.0), 1e3, -(500.0**3)),
        ("Gumbel", "log_cdf", (1.0, 0.5), -2.0, -np.exp(6)),
        ("Gumbel", "log_sf", (1.0, 0.5), 1e3, -1998),
        ("ChiSquare", "log_sf", (6.0,), 4e3, -2e3 + np.log(1 + 2e3 + 2e6)),
        ("Rayleigh", "log_sf", (2.0,), 1e3, -125e3),
        ("Pareto", "log_sf", (2.0, 300.0), 2e5, -300 * np.log(1e5)),
        ("Kumaraswamy", "log_cdf", (400.0, 3.0), 0.01, np.log(3) + 400 * np.log(0.01)),
        ("Kumaraswamy", "log_sf", (2.0, 400.0), 0.999, 400 * np.log1p(-(0.999**2))),
        ("Beta", "log_cdf", (400.0, 2.0), 0.01, 400 * np.log(0.01) + np.log(401 - 400 * 0.01)),
        ("Beta", "log_sf", (2.0, 400.0), 0.99, 400 * np.log(0.01) + np.log(401 - 400 * 0.01)),
    ],
)
def test_far_tail(name: str, tail: str, parameters: tuple[float, ...], x: float, expected: float) -> None:
    """Where the probability underflows its logarithm and the gradient of that go on."""
    log_tail = getattr(FAMILIES[name], tail)
    assert_close(log_tail(x, *parameters), expected)
    assert_gradients(log_tail, x, *parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "law", "k"),
    [
        ("Poisson", (2.0,), stats.poisson(2), 400),
        ("Poisson", (3000.0,), stats.poisson(3000), 3),
        ("Binomial", (900.0, 0.01), stats.binom(900, 0.01), 700),
        ("Binomial", (900.0, 0.99), stats.binom(900, 0.99), 20),
        ("NegBinomial", (2.0, 3.0), stats.nbinom(3, 0.6), 2000),
        ("NegBinomial", (1e5, 300.0), stats.nbinom(300, 300 / (1e5 + 300)), 5),
        ("Geometric", (0.3,), stats.geom(0.3, -1), 3000),
        ("BetaBinomial", (300.0, 2.0, 900.0), stats.betabinom(300, 2, 900), 280),
    ],
)
def test_far_tail_of_counts(name: str, parameters: tuple[float, ...], law: Law, k: int) -> None:
    """Beside the sum of scipy's log densities."""
    above = law.mean() < k
    counts = np.arange(k + 1, k + 2000) if above else np.arange(k + 1)
    log_tail = FAMILIES[name].log_sf if above else FAMILIES[name].log_cdf
    expected = special.logsumexp(law.logpmf(counts))
    assert expected < -250
    assert_close(log_tail(float(k), *parameters), expected)
    by = [i + 1 for i, p in enumerate(FAMILIES[name].forms[0].parameters) if p.requirement is not COUNT]
    assert_gradients(log_tail, float(k), *parameters, by=by)


@every_form_with_tails
def test_gradient_of_tails_at_the_ends(rng: Rng, family: Family, form: Form, twin: Twin) -> None:
    """A bound at the end of the support, or beyond, is no reason for NaN."""
    parameters = make_parameters(rng, form, twin, TAME, (100,))
    for end in twin.law(*parameters).support():
        if not np.isfinite(end).all():
            continue
        for x in (end - 1, end, end + 1):
            for i in range(len(parameters)):
                for tail in (family.log_cdf, family.log_sf):
                    slope = gradient(lambda *given, tail=tail, x=x: tail(x, *canonical(form, given)), i)(*parameters)
                    assert np.isfinite(slope).all()


@every_form
def test_gradient_of_what_does_not_count(rng: Rng, family: Family, form: Form, twin: Twin) -> None:
    """Points outside the support that were masked leave the gradient of the others as it is."""
    parameters = make_parameters(rng, form, twin, WILD, (1000,))
    x = make_points(rng, family, (1000,), twin.law(*parameters), twin.points)
    counts = np.isfinite(form.log_prob(x, *parameters))

    def masked(*given: Any) -> Any:
        return anp.where(counts, form.log_prob(*given), 0.0)

    if family.name == "Param":
        return  # its density is 0 nats everywhere, and depends on nothing
    known = {i + 1 for i, parameter in enumerate(form.parameters) if parameter.requirement in (POSITION, ADJACENCY)}
    for i in {*range(1 if family.discrete else 0, len(parameters) + 1)} - known:
        assert not np.isnan(gradient(masked, i)(x, *parameters)).any()


@pytest.mark.parametrize(("family", "form", "twin"), cases(lambda family: family.event_rank == 1 and is_proper(family)))
def test_covariance_of_draws(rng: Rng, family: Family, form: Form, twin: Twin) -> None:
    if twin.covariance is None:
        assert family.name == "MvStudentT"  # has a test of its own
        return
    parameters = make_parameters(rng, form, twin, TAME, ())
    draws = 20_000
    found = np.cov(family.draw(rng, (draws, K), *canonical(form, parameters)), rowvar=False)
    expected = twin.covariance(*parameters)
    variance = np.diag(expected)
    sd = np.sqrt((np.outer(variance, variance) + expected**2) / draws)  # of a covariance of normal variables
    assert (np.abs(found - expected) < 5 * sd).all()


@pytest.mark.parametrize(("family", "form", "twin"), cases(lambda family: family.name == "MvStudentT"))
def test_draws_of_student_vectors(rng: Rng, family: Family, form: Form, twin: Twin) -> None:
    """Squared lengths in units of the scale matrix, by the number of elements, have an F distribution."""
    df, mean, matrix = make_parameters(rng, form, twin, TAME, ())
    x = family.draw(rng, (20_000, K), *canonical(form, (df, mean, matrix)))
    root = matrix if form.parameters[2].name == "chol" else np.linalg.cholesky(matrix)
    lengths = np.sum(np.linalg.solve(root, (x - mean).T) ** 2, axis=0)
    assert stats.kstest(lengths / K, stats.f(K, df).cdf, method="asymp").pvalue > 1e-4


def test_draws_of_flat_are_unknown() -> None:
    assert np.isnan(FAMILIES["Flat"].draw(np.random.default_rng(0), (2, 3))).all()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([0.0, 0.5, 0.5], np.log(3.0)),  # 0 to the power of 0 is 1: the density is 6 x_2
        ([0.5, 0.0, 0.5], -np.inf),
        ([0.5, 0.6, -0.1], -np.inf),
        ([-0.1, 0.6, 0.5], -np.inf),
    ],
)
def test_edges_of_dirichlet(x: list[float], expected: float) -> None:
    found = FAMILIES["Dirichlet"].forms[0].log_prob(np.array(x), np.array([1.0, 2.0, 1.0]))
    assert_close(found, expected)
