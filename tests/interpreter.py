"""A slow interpreter of the syntax tree: the log density of a program, element by element, with scipy's densities.

It shares no code with the compiler: names, axes, lifting, indices and densities are done again here, one number at a
time, in the plainest way. What it says is what the language means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats
from scipy.integrate import solve_ivp

from ppl.language import syntax as s
from tests import vectors
from tests.array_functions import ARRAY_FUNCTIONS


@dataclass(frozen=True)
class Value:
    """An array and, for each axis, the labels of its levels (None where it has positions only)."""

    array: np.ndarray
    labels: tuple[list[str] | None, ...]


def value(array: Any) -> Value:
    array = np.asarray(array)
    return Value(array, (None,) * array.ndim)


FUNCTIONS = {
    "exp": np.exp, "log": np.log, "log10": np.log10, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt,
    "abs": np.abs, "floor": np.floor, "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh,
    "inv_logit": special.expit, "logit": special.logit, "softplus": lambda x: np.log1p(np.exp(x)),
    "relu": lambda x: np.where(x > 0, x, 0.0), "erf": special.erf, "Phi": stats.norm.cdf,
    "lgamma": special.gammaln, "digamma": special.digamma, "lbeta": special.betaln,
    "lchoose": lambda n, k: np.log(special.comb(n, k)),
}  # fmt: skip
REDUCTIONS = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "min": np.min, "max": np.max,
    "sd": lambda x, axis=None: np.std(x, axis=axis, ddof=1),
    "var": lambda x, axis=None: np.var(x, axis=axis, ddof=1),
    "logsumexp": lambda x, axis=None: special.logsumexp(x, axis=axis),
}  # fmt: skip
ALONG = {
    "cumsum": np.cumsum, "cumprod": np.cumprod, "diff": lambda x, axis: np.diff(x, axis=axis),
    "softmax": special.softmax, "log_softmax": special.log_softmax,
}  # fmt: skip


def _frozen(family: str, p: dict[str, float]) -> Any:
    """The scipy distribution of one element."""
    if family == "Normal":
        sd = p["sd"] if "sd" in p else math.sqrt(p["var"]) if "var" in p else 1 / math.sqrt(p["prec"])
        return stats.norm(p["mean"], sd)
    if family in ("Bernoulli", "Binomial"):
        chance = p["p"] if "p" in p else 1 / (1 + math.exp(-p["logit"]))
        return stats.bernoulli(chance) if family == "Bernoulli" else stats.binom(p["n"], chance)
    if family == "Poisson":
        return stats.poisson(p["rate"] if "rate" in p else math.exp(p["log"]))
    if family == "NegBinomial":
        mean = p["mean"] if "mean" in p else math.exp(p["log"])
        return stats.nbinom(p["size"], p["size"] / (p["size"] + mean))
    if family == "Geometric":
        return stats.geom(p["p"] if "p" in p else 1 / (1 + math.exp(-p["logit"])), -1)
    if family == "BetaBinomial":
        a, b = (p["a"], p["b"]) if "a" in p else (p["mean"] * p["precision"], (1 - p["mean"]) * p["precision"])
        return stats.betabinom(p["n"], a, b)
    return {
        "Gumbel": lambda: stats.gumbel_r(p["location"], p["scale"]),
        "SkewNormal": lambda: stats.skewnorm(p["shape"], p["location"], p["scale"]),
        "ExGaussian": lambda: stats.exponnorm(1 / (p["sd"] * p["rate"]), p["mean"], p["sd"]),
        "ChiSquare": lambda: stats.chi2(p["df"]),
        "Rayleigh": lambda: stats.rayleigh(scale=p["scale"]),
        "Pareto": lambda: stats.pareto(p["shape"], scale=p["scale"]),
        "InvGaussian": lambda: stats.invgauss(p["mean"] / p["shape"], scale=p["shape"]),
        "VonMises": lambda: stats.vonmises(p["concentration"], p["mean"]),
        "DiscreteUniform": lambda: stats.randint(p["low"], p["high"] + 1),
        "StudentT": lambda: stats.t(p["df"], p["location"], p["scale"]),
        "Cauchy": lambda: stats.cauchy(p["location"], p["scale"]),
        "Laplace": lambda: stats.laplace(p["location"], p["scale"]),
        "Logistic": lambda: stats.logistic(p["location"], p["scale"]),
        "LogNormal": lambda: stats.lognorm(p["sd"], scale=math.exp(p["mean"])),
        "HalfNormal": lambda: stats.halfnorm(scale=p["sd"]),
        "HalfCauchy": lambda: stats.halfcauchy(scale=p["scale"]),
        "Exponential": lambda: stats.expon(scale=1 / p["rate"]),
        "Gamma": lambda: stats.gamma(p["shape"], scale=1 / p["rate"]),
        "InvGamma": lambda: stats.invgamma(p["shape"], scale=p["scale"]),
        "Weibull": lambda: stats.weibull_min(p["shape"], scale=p["scale"]),
        "Beta": lambda: stats.beta(p["a"], p["b"]),
        "Uniform": lambda: stats.uniform(p["lower"], p["upper"] - p["lower"]),
    }[family]()


POSITIONAL = {
    "Normal": ("mean", "sd"), "StudentT": ("df", "location", "scale"), "Cauchy": ("location", "scale"),
    "Laplace": ("location", "scale"), "Logistic": ("location", "scale"), "LogNormal": ("mean", "sd"),
    "HalfNormal": ("sd",), "HalfCauchy": ("scale",), "HalfStudentT": ("df", "scale"), "Exponential": ("rate",),
    "Gamma": ("shape", "rate"), "InvGamma": ("shape", "scale"), "Weibull": ("shape", "scale"), "Beta": ("a", "b"),
    "Uniform": ("lower", "upper"), "Flat": (), "Bernoulli": ("p",), "Binomial": ("n", "p"), "Poisson": ("rate",),
    "NegBinomial": ("mean", "size"), "Categorical": ("p",), "Dirichlet": ("concentration",),
    "MvNormal": ("mean", "cov"), "MvStudentT": ("df", "mean", "cov"), "GP": ("cov", "mean"),
    "GaussianRandomWalk": ("sd", "drift", "init"), "AR": ("coefficients", "sd", "constant", "init"),
    "ICAR": ("node1", "node2", "sd"), "LKJ": ("shape",), "LKJCholesky": ("shape",), "Wishart": ("df", "scale"),
    "InvWishart": ("df", "scale"),
    "Gumbel": ("location", "scale"), "SkewNormal": ("location", "scale", "shape"),
    "ExGaussian": ("mean", "sd", "rate"), "ChiSquare": ("df",), "Rayleigh": ("scale",), "Pareto": ("scale", "shape"),
    "InvGaussian": ("mean", "shape"), "Kumaraswamy": ("a", "b"), "VonMises": ("mean", "concentration"),
    "Geometric": ("p",), "DiscreteUniform": ("low", "high"), "BetaBinomial": ("n", "a", "b"),
    "OrderedLogistic": ("eta", "cutpoints"), "OrderedProbit": ("eta", "cutpoints"), "Multinomial": ("n", "p"),
    "DirichletMultinomial": ("n", "concentration"),
}  # fmt: skip
COUNTS = ("Bernoulli", "Binomial", "Poisson", "NegBinomial", "Geometric", "DiscreteUniform", "BetaBinomial")
REPLACES = {"logit": "p", "var": "sd", "prec": "sd", "chol": "cov"}  # a keyword, and the parameter it stands in for


class Interpreter:
    """Reads one program over data (`columns`: arrays of numbers, truth values or text) and values of the latents."""

    def __init__(self, program: s.Program, columns: Mapping[str, Any], latents: Mapping[str, Any], rows: int | None):
        self.program = program
        self.columns = {name: np.asarray(column) for name, column in columns.items()}
        self.latents = {name: np.asarray(latent, dtype=float) for name, latent in latents.items()}
        self.rows = rows
        self.functions = {x.name.name: x for x in program.statements if isinstance(x, s.Define)}
        self.assigned = {x.name.name: x for x in program.statements if isinstance(x, s.Assign)}
        self.systems = {x.name.name: ode for ode in program.statements if isinstance(ode, s.Ode) for x in ode.states}
        self.solved: dict[str, Value] = {}
        self.declared: dict[str, tuple[list[str] | None, ...]] = {}
        self.lifted: list[tuple[int, np.ndarray]] = []  # rows of a factor, and the first row of each level
        self.bound: dict[str, Value] = {}
        self.levels = {x.name.name: self.levels_of(x) for x in program.statements if isinstance(x, s.Levels)}

    def levels_of(self, statement: s.Levels) -> list[str]:
        """The levels that a statement names: in its order, or sorted as their columns are."""
        texts = [item.value for item in statement.items if isinstance(item, s.String)]
        columns = [self.columns[item.name] for item in statement.items if isinstance(item, s.Name)]
        return texts or [_label(x) for x in np.unique(np.concatenate(columns))]

    def log_density(self) -> float:
        total = 0.0
        for statement in self.program.statements:
            if isinstance(statement, s.Tilde):
                total += self.tilde(statement)
            elif isinstance(statement, s.FactorOf):
                total += float(np.sum(self.expression(statement.value).array))
        return total

    # -- statements ---------------------------------------------------------------------------------------------------

    def is_latent(self, name: str) -> bool:
        return name in self.latents

    def tilde(self, statement: s.Tilde) -> float:
        target = statement.target
        name = target.name if isinstance(target, s.Name) else ""
        if isinstance(target, s.Index) and isinstance(target.base, s.Name):
            name = target.base.name
        if name and name not in self.columns and name not in self.assigned:
            if not self.is_latent(name):
                return 0.0  # simulated
            if isinstance(target, s.Index):
                self.declare(name, target)
            found = self.latents[name]
            self.lifted = self.lifts(target)
        else:
            found = self.expression(target).array
        try:
            return float(np.sum(self.densities(found, statement.dist, self.levels.get(name))))
        finally:
            self.lifted = []

    def lifts(self, target: s.Expr) -> list[tuple[int, np.ndarray]]:
        if not isinstance(target, s.Index):
            return []
        factors = [self.columns[x.name] for x in target.subscripts if isinstance(x, s.Name) and x.name in self.columns]
        found = [(len(f), np.unique(f, return_index=True)[1]) for f in factors if f.ndim == 1 and len(f) > 1]
        named = [x.name for x in target.subscripts if isinstance(x, s.Name) and x.name in self.levels]
        if named:
            column = self.columns.get(named[0])
            labels = [] if column is None else [_label(x) for x in column]
            first = np.array([labels.index(x) for x in self.levels[named[0]] if x in labels], dtype=int)
            found = [(len(labels), first)] if labels else []
        return found

    def declare(self, name: str, target: s.Index) -> None:
        labels: list[list[str] | None] = []
        for subscript in target.subscripts:
            if isinstance(subscript, s.Name) and subscript.name in self.assigned:
                labels.append(self.look_up(subscript.name).labels[-1] if self.look_up(subscript.name).labels else None)
                continue
            if isinstance(subscript, s.Name) and subscript.name in self.levels:
                labels.append(self.levels[subscript.name])
                continue
            column = self.columns.get(subscript.name) if isinstance(subscript, s.Name) else None
            if column is not None and column.ndim == 1 and len(column) > 1:
                labels.append([_label(x) for x in np.unique(column)])
            else:
                labels.append(None)
        self.declared[name] = tuple(labels)

    def densities(self, found: np.ndarray, dist: s.Dist, order: list[str] | None = None) -> np.ndarray:
        """The density of each element; `order` is that of the levels of what is drawn."""
        family = dist.family.name
        if family in ("Ordered", "ZeroSum"):
            return np.asarray(self.constrained(family, found, dist.arguments[0].value))
        given = {a.keyword.name: self.expression(a.value).array for a in dist.arguments if a.keyword is not None}
        replaced = {"cov"} if family.startswith("Mv") and given.keys() & {"chol", "prec"} else set()
        replaced |= {"node1", "node2"} if "adjacency" in given else set()
        replaced |= {REPLACES.get(name, name) for name in given}
        if family == "BetaBinomial" and "precision" in given:
            replaced |= {"a", "b"}
        if family in ("Poisson", "NegBinomial") and "log" in given:
            replaced |= {"rate", "mean"}
        free = [name for name in POSITIONAL[family] if name not in replaced]
        positional = [self.expression(a.value).array for a in dist.arguments if a.keyword is None]
        optional = vectors.DEFAULTS.get(family, {})
        given |= dict(zip(free, positional, strict=not optional))
        given = {name: np.asarray(default) for name, default in optional.items()} | given
        lower = None if dist.lower is None else self.expression(dist.lower).array
        upper = None if dist.upper is None else self.expression(dist.upper).array
        if family in vectors.RANKS:
            return np.asarray(vectors.log_density(family, found, given))  # their sum
        if family in ("Multinomial", "DirichletMultinomial"):
            return np.asarray(self.vectors(family, found, given))
        events = {"Categorical": [], "OrderedLogistic": ["eta"], "OrderedProbit": ["eta"]}.get(family)
        others = [x.shape for name, x in given.items() if x.shape != (1,) and (events is None or name in events)]
        total = np.zeros(np.broadcast_shapes(found.shape, *others))
        for index in np.ndindex(total.shape):
            if family == "Categorical":
                total[index] = self.category(found, index, given, order)
                continue
            if family in ("OrderedLogistic", "OrderedProbit"):
                total[index] = self.ordered(family, found, index, given)
                continue
            here = {name: float(_at(array, index)) for name, array in given.items()}
            low = None if lower is None else float(_at(lower, index))
            high = None if upper is None else float(_at(upper, index))
            if family in COUNTS:  # as the whole numbers that the bounds allow
                low = low if low is None else math.floor(low) + 1 if "lower" in dist.excludes else math.ceil(low)
                high = high if high is None else math.ceil(high) - 1 if "upper" in dist.excludes else math.floor(high)
            total[index] = self.one(family, float(_at(found, index)), here, low, high)
        return total

    def constrained(self, wrapper: str, found: np.ndarray, inner: s.Dist) -> float:
        """`ZeroSum` of normal elements is their distribution on the plane of zero sums, given that they lie in it."""
        if wrapper == "Ordered" and not (np.diff(found, axis=-1) > 0).all():
            return -math.inf
        if wrapper == "Ordered" or inner.family.name != "Normal":
            return float(np.sum(self.densities(found, inner)))
        n = found.shape[-1]
        turn = np.linalg.svd(np.ones((1, n)))[2]  # first the direction of the sum, then the plane
        mean, sd = (np.broadcast_to(self.expression(a.value).array, found.shape) for a in inner.arguments)
        total = 0.0
        for index in np.ndindex(found.shape[:-1]):
            at, cov = turn @ mean[index], turn @ np.diag(sd[index] ** 2) @ turn.T
            slope = cov[1:, 0] / cov[0, 0]
            law = stats.multivariate_normal(at[1:] - slope * at[0], cov[1:, 1:] - np.outer(slope, cov[0, 1:]))
            total += float(law.logpdf(turn[1:] @ found[index]))
        return total

    def one(self, family: str, x: float, p: dict[str, float], lower: float | None, upper: float | None) -> float:
        if (lower is not None and x < lower) or (upper is not None and x > upper):
            return -math.inf
        if family == "Flat":
            return 0.0
        if family == "HalfStudentT":
            t = stats.t(p["df"], 0.0, p["scale"])
            mass = 0.5 if lower is None and upper is None else None
            assert mass is not None, "not needed so far"
            return float(t.logpdf(x) - math.log(mass)) if x >= 0 else -math.inf
        if family == "Kumaraswamy":
            return math.log(p["a"] * p["b"] * x ** (p["a"] - 1) * (1 - x ** p["a"]) ** (p["b"] - 1))
        frozen = _frozen(family, p)
        density = frozen.logpmf(x) if hasattr(frozen.dist, "logpmf") and not hasattr(frozen.dist, "pdf") else None
        if density is None:
            density = frozen.logpdf(x)
        if lower is not None or upper is not None:
            step = 1 if family in COUNTS else 0
            below = frozen.cdf(lower - step) if lower is not None else 0.0
            above = frozen.cdf(upper) if upper is not None else 1.0
            density -= math.log(above - below)
        return float(density)

    def category(
        self, found: np.ndarray, index: tuple[int, ...], given: dict[str, np.ndarray], order: list[str] | None
    ) -> float:
        table = given["p"] if "p" in given else special.softmax(given["logit"], axis=-1)
        row = np.broadcast_to(table, (*found.shape, table.shape[-1]))[index]
        kind = found[index]
        names = order or sorted(set(found.reshape(-1)))
        place = names.index(_label(kind)) if order or isinstance(kind, str) else int(kind) - 1
        return float(math.log(row[place]))

    def ordered(self, family: str, found: np.ndarray, index: tuple[int, ...], given: dict[str, np.ndarray]) -> float:
        eta, cuts = float(_at(given["eta"], index)), _vector_at(given["cutpoints"], index, 1)
        below = (stats.logistic if family == "OrderedLogistic" else stats.norm)(eta).cdf([-math.inf, *cuts, math.inf])
        return math.log(np.diff(below)[int(found[index]) - 1])

    def vectors(self, family: str, found: np.ndarray, given: dict[str, np.ndarray]) -> float:
        total = 0.0
        for index in np.ndindex(found.shape[:-1]):
            x = found[index]
            if family == "Dirichlet":
                concentration = np.broadcast_to(_vector_at(given["concentration"], index, 1), x.shape)
                total += float(stats.dirichlet(concentration).logpdf(x / x.sum()))
                continue
            if "n" in given:
                n = int(_at(given["n"], index))
                if family == "Multinomial":
                    p = _vector_at(given["p"], index, 1) if "p" in given else None
                    p = special.softmax(_vector_at(given["logit"], index, 1)) if p is None else p
                    total += float(stats.multinomial(n, p).logpmf(x))
                else:
                    concentration = np.broadcast_to(_vector_at(given["concentration"], index, 1), x.shape)
                    total += float(stats.dirichlet_multinomial(concentration, n).logpmf(x))
                continue
            mean = np.broadcast_to(_vector_at(given["mean"], index, 1), x.shape)
            matrix = _vector_at(next(given[name] for name in ("cov", "chol", "prec") if name in given), index, 2)
            if "chol" in given:
                matrix = matrix @ matrix.T
            elif "prec" in given:
                matrix = np.linalg.inv(matrix)
            total += float(stats.multivariate_normal(mean, matrix).logpdf(x))
        return total

    # -- expressions --------------------------------------------------------------------------------------------------

    def expression(self, node: Any) -> Value:
        match node:
            case s.Number(number):
                return value(number)
            case s.String(text):
                return value(np.array(text))
            case s.Name(name):
                return self.look_up(name)
            case s.ListOf(items):
                return value(np.stack([self.expression(item).array for item in items]))
            case s.Unary("-", operand):
                inner = self.expression(operand)
                return Value(-inner.array, inner.labels)
            case s.Unary("not", operand):
                return value(self.expression(operand).array == 0)
            case s.Unary("+", operand):
                return self.expression(operand)
            case s.Binary(op, left, right):
                return self.binary(op, self.expression(left), self.expression(right))
            case s.Compare(ops, operands):
                found = [self.expression(operand).array for operand in operands]
                results = [_compare(op, found[i], found[i + 1]) for i, op in enumerate(ops)]
                return value(np.logical_and.reduce(np.broadcast_arrays(*results)))
            case s.Conditional(test, then, otherwise):
                chosen = np.where(
                    self.expression(test).array != 0, self.expression(then).array, self.expression(otherwise).array
                )
                return value(chosen)
            case s.Index(base, subscripts):
                unlifted, self.lifted = self.lifted, []
                whole = self.expression(base)
                self.lifted = unlifted
                return self.index(whole, subscripts)
            case s.Call():
                return self.call(node)
        raise TypeError(node)

    def look_up(self, name: str) -> Value:
        if name in self.bound:
            return self.bound[name]
        if name in self.assigned:
            found = self.assign(self.assigned[name])
        elif name in self.systems:
            if name not in self.solved:
                self.solved |= self.solve(self.systems[name])
            found = self.solved[name]
        elif name in self.latents:
            return Value(self.latents[name], self.declared.get(name, (None,) * self.latents[name].ndim))
        elif name in self.columns:
            found = value(self.columns[name])
        elif name in self.levels:
            return Value(np.array(self.levels[name]), (self.levels[name],))
        elif name == "rows":
            return value(self.rows)
        else:
            return value({"pi": math.pi, "inf": math.inf}[name])
        for length, first in self.lifted:
            if found.array.ndim and found.array.shape[-1] == length and length != len(first):
                return value(found.array[..., first])
        return found

    def assign(self, statement: s.Assign) -> Value:
        outer, self.lifted = self.lifted, []
        if statement.subscripts is not None:
            target = s.Index(statement.name, statement.subscripts, statement.span)
            self.lifted = self.lifts(target)
            self.declare(statement.name.name, target)
        found = self.expression(statement.value)
        if statement.subscripts is not None:
            labels = self.declared[statement.name.name]
            counts = [self.extent(x) for x in statement.subscripts]
            found = Value(np.broadcast_to(found.array, counts), labels)
        self.lifted = outer
        return found

    def solve(self, ode: s.Ode) -> dict[str, Value]:
        """The states over the times: (times, *axes of the state)."""
        outer, self.bound = self.bound, {}
        times, origin = self.expression(ode.times).array.astype(float), float(self.expression(ode.origin).array.item())
        starts = [self.expression(state.start) for state in ode.states]

        def slopes(t: float, states: list[np.ndarray]) -> list[Value]:
            self.bound = {x.name.name: Value(y, a.labels) for x, y, a in zip(ode.states, states, starts, strict=True)}
            self.bound[ode.time.name] = value(t)
            return [self.expression(state.slope) for state in ode.states]

        for _ in range(len(starts) + 1):  # axes that only slopes have
            found = slopes(origin, [start.array.astype(float) for start in starts])
            starts = [
                Value(start.array + np.zeros(slope.array.shape), max(start.labels, slope.labels, key=len))
                for start, slope in zip(starts, found, strict=True)
            ]
        shapes = [start.array.shape for start in starts]
        ends = np.cumsum([start.array.size for start in starts])

        def flat(t: float, y: np.ndarray) -> np.ndarray:
            parts = [x.reshape(shape) for x, shape in zip(np.split(y, ends[:-1]), shapes, strict=True)]
            found = [np.broadcast_to(x.array, shape) for x, shape in zip(slopes(t, parts), shapes, strict=True)]
            return np.concatenate([x.reshape(-1) for x in found])

        y0 = np.concatenate([start.array.reshape(-1) for start in starts])
        stops = np.unique(np.append(times.reshape(-1), origin))
        way = np.tile(y0[:, None], 1)
        if len(stops) > 1:
            way = solve_ivp(flat, (origin, stops[-1]), y0, "DOP853", t_eval=stops, rtol=1e-13, atol=1e-15).y
        self.bound = outer
        whole = np.moveaxis(way[:, np.searchsorted(stops, times)], 0, -1)
        return {
            state.name.name: Value(part.reshape((*times.shape, *shape)), (None,) * times.ndim + start.labels)
            for state, part, shape, start in zip(
                ode.states, np.split(whole, ends[:-1], axis=-1), shapes, starts, strict=True
            )
        }

    def extent(self, subscript: Any) -> int:
        found = self.expression(subscript).array
        return int(found) if found.ndim == 0 else len(np.unique(found)) if found.ndim == 1 else found.shape[1]

    def binary(self, op: str, left: Value, right: Value) -> Value:
        labels = max((left.labels, right.labels), key=lambda x: (len(x), sum(y is not None for y in x)))
        a, b = left.array, right.array
        if op == "@":
            return Value(a @ b, (*left.labels[:-1], *(right.labels[1:] if b.ndim == 2 else ())))
        if a.dtype.kind == "b":
            a = a.astype(float)
        if b.dtype.kind == "b":
            b = b.astype(float)
        found = {
            "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b,
            "^": lambda: np.asarray(a, dtype=float) ** b,
            "and": lambda: (a != 0) & (b != 0), "or": lambda: (a != 0) | (b != 0),
        }[op]()  # fmt: skip
        return Value(np.asarray(found), labels)

    def index(self, base: Value, subscripts: tuple[Any, ...]) -> Value:
        """One number at a time: every element of the result is looked up by its own position."""
        picks: list[np.ndarray | slice] = []
        labels: list[list[str] | None] = []
        for subscript, axis in zip(subscripts, range(base.array.ndim), strict=False):
            match subscript:
                case s.Whole():
                    picks.append(slice(None))
                    labels.append(base.labels[axis])
                case s.Range(low, high):
                    first, last = int(self.expression(low).array), int(self.expression(high).array)
                    picks.append(slice(first - 1, last))
                    labels.append(None)
                case _:
                    found = self.expression(subscript).array
                    names = base.labels[axis]
                    if names is None:
                        picks.append(found.astype(int) - 1)
                    else:
                        flat = [names.index(_label(x)) for x in found.reshape(-1)]
                        picks.append(np.array(flat, dtype=int).reshape(found.shape))
        array = base.array[tuple(picks)]
        return Value(array, (None,) * array.ndim)

    def call(self, node: s.Call) -> Value:
        name = node.function.name
        if name in self.functions:
            define = self.functions[name]
            arguments = [self.expression(a.value) for a in node.arguments]
            outer = self.bound
            self.bound = {p.name: a for p, a in zip(define.parameters, arguments, strict=True)}
            found = self.expression(define.body)
            self.bound = outer
            return found
        if name == "columns":
            return self.columns_of(node)
        if name == "logp":
            (density,) = (a.value for a in node.arguments)
            assert isinstance(density, s.LogDensityOf)
            target = density.value.name if isinstance(density.value, s.Name) else ""
            return value(self.densities(self.expression(density.value).array, density.dist, self.levels.get(target)))
        by = next((a.value for a in node.arguments if a.keyword is not None), None)
        positional = [a.value for a in node.arguments if a.keyword is None]
        if by is not None:
            return self.by(name, positional[0], by)
        found = [self.expression(a) for a in positional]
        if name == "onehot" and len(found) == 1:
            levels = [_label(x) for x in np.unique(found[0].array)]
            return Value(ARRAY_FUNCTIONS[name](found[0].array), (None, levels))
        if name in ("min", "max") and len(found) == 2:
            return value((np.minimum if name == "min" else np.maximum)(found[0].array, found[1].array))
        if name in REDUCTIONS:
            axis = None if len(found) == 1 else int(found[1].array) - 1
            return value(REDUCTIONS[name](found[0].array, axis=axis))
        if name in ARRAY_FUNCTIONS:
            return value(ARRAY_FUNCTIONS[name](*(x.array for x in found)))
        if name in ALONG:
            axis = -1 if len(found) == 1 else int(found[1].array) - 1
            return value(ALONG[name](found[0].array, axis=axis))
        return Value(np.asarray(FUNCTIONS[name](*(x.array for x in found))), found[0].labels)

    def by(self, name: str, what: Any, by: Any) -> Value:
        lifted, self.lifted = self.lifted, []
        x, groups = self.expression(what).array, self.expression(by).array
        self.lifted = lifted
        levels = np.unique(groups)
        found = [REDUCTIONS[name](x[..., groups == level], axis=-1) for level in levels]
        return Value(np.stack(found, axis=-1), (*(None,) * (x.ndim - 1), [_label(level) for level in levels]))

    def columns_of(self, node: s.Call) -> Value:
        names: list[str] = []
        for argument in node.arguments:
            match argument.value:
                case s.String(pattern):
                    names += [n for n in self.columns if n.startswith(pattern.rstrip("*"))]
                case s.Name(name):
                    names.append(name)
                case s.Range(s.Name(low), s.Name(high)):
                    held = list(self.columns)
                    names += held[held.index(low) : held.index(high) + 1]
        return Value(np.stack([self.columns[n] for n in names], axis=-1).astype(float), (None, names))


def _at(array: np.ndarray, index: tuple[int, ...]) -> Any:
    """The element of an array that lines up, from the right, with an index; a list of one number is that number."""
    if array.shape == (1,):
        return array[0]
    return array[index[len(index) - array.ndim :]]


def _vector_at(array: np.ndarray, index: tuple[int, ...], event_rank: int) -> np.ndarray:
    plates = max(0, array.ndim - event_rank)
    return array[index[len(index) - plates :]] if plates else array


def _compare(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return {
        "==": lambda: a == b, "!=": lambda: a != b, "<": lambda: a < b, "<=": lambda: a <= b,
        ">": lambda: a > b, ">=": lambda: a >= b,
    }[op]()  # fmt: skip


def _label(x: Any) -> str:
    x = x.item() if hasattr(x, "item") else x
    if isinstance(x, float) and x.is_integer():
        x = int(x)
    return str(x).lower() if isinstance(x, bool) else str(x)
