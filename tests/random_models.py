"""Random models with small random data: most of them make sense, some nearly do.

A quantity has a kind that says over what it runs: "" (a single number), "rows", "g" (the levels of a text column), "h"
(those of a column of codes), "K" (a count), "JK" (two counts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

KINDS = ("", "rows", "g", "h", "K", "JK")
BRACKETS = {"rows": "[rows]", "g": "[g]", "h": "[h]", "K": "[K]", "JK": "[J, K]"}
J, K = 2, 3

# What stands where a quantity of a sort is needed: any number, one above zero, one between 0 and 1.
REAL = ("{e} + {e}", "{e} - {e}", "{e}*{e}", "-{e}", "{e}/{p}", "abs({e})", "tanh({e})", "{e} if {c} else {e}",
        "min({e}, {e})", "max({e}, {e})", "log({p})", "sin({e})", "logit({u})", "{e}^2", "relu({e})", "expm1({e}/9)",
        "({c})*{e}", "twice({e})", "lgamma({p})", "bend({e}, {p})")  # fmt: skip
POSITIVE = ("exp({e}/4)", "softplus({e}) + 0.1", "{p} + {p}", "{p}*{p}", "sqrt({p})", "1 + {e}^2", "{p}/{p}",
            "log1p({p})", "{p}^0.5", "max({p}, 0.2)", "{p} if {c} else {p}")  # fmt: skip
UNIT = ("inv_logit({e})", "Phi({e})", "{u}*{u}", "1 - {u}", "0.5*{u} + 0.2")
CONDITIONS = ("{e} > {e}", "{p} <= {p}", "not {e} < 0", "{e} > 0 and {u} < 0.6", "{e} < 0 or {e} > 1", "0 < {e} < 2")
SINGLE = ("sum({v})", "mean({v})", "max({v})", "logsumexp({v})", "prod({v}/4)", "sd({v})", "{v}[{one}]",
          "sum({v}[i]*i for i in 1..2)", "sum({v}[1..2])", "sum(diff({v}))", "cumsum({v})[2]")  # fmt: skip

PRIORS = {
    "e": ("Normal({e}, {p})", "StudentT(4, {e}, {p})", "Cauchy({e}, {p})", "Laplace({e}, {p})", "Logistic({e}, {p})",
          "Normal({e}, var = {p})", "Normal({e}, prec = {p})", "Normal({e}, {p}) > {e}", "Uniform(-2, 1 + {p})",
          "-3 < Normal({e}, {p}) < 4", "Flat()", "Gumbel({e}, {p})"),
    "p": ("HalfNormal({p})", "HalfCauchy({p})", "Exponential({p})", "Gamma({p}, {p})", "InvGamma({p}, {p})",
          "Weibull({p}, {p})", "LogNormal({e}, {p})", "HalfStudentT(3, {p})", "Normal({e}, {p}) > 0", "Flat() > 0",
          "Gamma({p}, {p}) < 3"),
    "u": ("Beta({p}, {p})", "Uniform(0, 1)", "0 < Normal({e}, {p}) < 1"),
}  # fmt: skip
OBSERVED = {
    "y": ("Normal({e}, {p})", "StudentT(3, {e}, {p})", "Laplace({e}, {p})", "Cauchy({e}, {p})", "Normal(mu[z], {p})",
          "Normal({e} + z, {p})", "Mixture([0.3, 0.7], Normal({e}, {p}), Normal({e}, 2))", "Normal(mu[g], {p})",
          "Normal({e}, {p}) > -9", "Censored(Normal({e}, {p}), upper = 1)"),
    "k": ("Poisson({p})", "Poisson(log = {e}/3)", "NegBinomial({p}, {p})", "Binomial(9, {u})", "Poisson(1 + z)",
          "ZeroInflated({u}, Poisson({p}))", "Hurdle({u}, Poisson({p}))", "Binomial(9, logit = {e})",
          "Geometric({u})", "BetaBinomial(9, {p}, {p})", "Poisson({p}) < 11"),
    "b": ("Bernoulli({u})", "Bernoulli(logit = {e})", "Bernoulli(0.2 + 0.3*(z == 1))"),
    "c": ("Categorical(w)", "Categorical(logit = [0, {1e}, {1e}])", "OrderedLogistic({e}, [-1, 0.5])"),
    "x": ("Normal({e1}, {p1})",),
}  # fmt: skip
BLOCKS = (
    "s[1] = {1p}\nfor t in 2..rows {{ s[t] = sqrt({1p} + 0.3*x[t-1]^2 + 0.4*s[t-1]^2) }}\ny ~ Normal(0, s)",
    "for t in 2..rows {{ y[t] ~ Normal({1e} + 0.5*y[t-1], {1p}) }}",
    "for t in 3..rows {{ y[t] ~ Normal(sum(0.3*y[t-j] for j in 1..2), {1p}) }}",
    "for i in 1..J, j in 1..K {{ A[i, j] ~ Normal({1e} + i*j, {1p}) }}",
    "for i in 1..J {{ for j in 1..i {{ A[i, j] ~ Normal({1e}, {1p}) }} }}",
    "walk[1] ~ Normal(0, 1)\nfor t in 2..rows {{ walk[t] ~ Normal(walk[t-1], {1p}) }}\ny ~ Normal(walk, {1p})",
    "for t in 1..rows {{ m[t] = sum(x[r] for r in 1..t-1) }}\ny ~ Normal(m + {1e}, {1p})",
    "q[1] ~ Bernoulli({1u})\nfor t in 2..rows {{ q[t] ~ Bernoulli({1u} if q[t-1] else {1u}) }}\ny ~ Normal(q, {1p})",
    "q[1] ~ Categorical(w)\nfor t in 2..4 {{ q[t] ~ Categorical(P[q[t-1]]) }}\nv4 ~ Normal(mu[q], {1p})",
    "n ~ DiscreteUniform(1, 6)\nb ~ Binomial(n, {1u})",
    "on[J] ~ Bernoulli({1u})\nfor i in 1..J, j in 1..K {{ hit[i, j] ~ Bernoulli(on[i]*{1u}) }}",
    "beta[K] ~ Normal({1e}, {1p})\nv2 ~ Normal(A @ beta, {1p})",
    "for i in 1..0 {{ y[i] ~ Normal(0, 1) }}",
    "factor {1e}",
    "{v} - {1e} ~ Normal(0, {1p})",
    "sum({v}) ~ Normal({1e}, 1)",
    "log(k + 1) ~ Normal({e1}, {p1})",
    "later ~ Normal({1e}, {1p})",
    "top[h] ~ Normal({1e}, 1)\nlow[g] ~ Normal(top[h], {1p})\ny ~ Normal(low[g], 1)",
    "big[2] ~ MvNormal([{1e}, {1e}], [[1 + {1p}, 0.3], [0.3, 1 + {1p}]])",
    "cut[2] ~ Ordered(Normal({1e}, 2))\nc ~ OrderedLogistic({1e}, cut)",
    "sums[K] ~ ZeroSum(Normal(0, {1p}))\ny ~ Normal(sums[code], {1p})",
    "path[rows] ~ GaussianRandomWalk({1p}, {1e})\ny ~ Normal(path, {1p})",
    "series[rows] ~ AR([{1u}, 0.2], {1p})\ny ~ StudentT(3, series, {1p})",
    "y ~ MvNormal({1e}*ones(N), exp_quad(x, {1p}, 1 + {1p}) + (0.5 + {1p})*eye(N))",
    "C[2, 2] ~ LKJCholesky({1p})\nv2 ~ MvNormal({1e}, chol = diag([{1p}, 1]) @ C)",
    "Q = hcat(ones(N), x, standardize(y))\nslope[3] ~ Normal({1e}, {1p})\ny ~ Normal(Q @ slope, {1p})",
    "near[4] ~ ICAR([1, 2, 3], [2, 3, 4], {1p})\nv4 ~ Normal(near + {1e}, 1)",
    "R[2, 2] ~ Wishart(3 + {1p}, eye(2))\nv2 ~ MvNormal(0, prec = R)",
)


@dataclass
class Writer:
    """Draws the lines of a model; `names` are the quantities so far, by sort and kind."""

    draw: Any
    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)

    def pick(self, items: Any) -> Any:
        return self.draw(st.sampled_from(list(items)))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(1, 100)) <= percent

    def atom(self, sort: str, kind: str) -> str:
        """A name or a number of a sort, for a place of a kind."""
        held = [*self.names.get((sort, kind), ()), *(self.names.get((sort, ""), ()))]
        if kind == "rows":
            held += [f"{name}[{of}]" for of in ("g", "h") for name in self.names.get((sort, of), ())]
            held += [f"{name}[code]" for name in self.names.get((sort, "K"), ())]
            held += {"e": ["x", "y", "k", "(g == \"a\")", "flag"], "p": ["exposure"], "u": []}[sort]  # fmt: skip
        if kind == "g":
            held += {"e": ["by_g"], "p": [], "u": []}[sort]
        if kind == "":
            held += [f"{name}[2]" for name in self.names.get((sort, "K"), ())]
            held += [f"{name}[2, {K}]" for name in self.names.get((sort, "JK"), ())]
            held += [f'{name}["a"]' for name in self.names.get((sort, "g"), ())]
            held += {"e": ["N", "m0"], "p": ["N"], "u": []}[sort]
        if self.chance(2):  # a slip
            held = [name for names in self.names.values() for name in names] or held
        fresh = [x for x in held if x.split("[")[0] in self.unused]
        if fresh and self.chance(70):
            found = self.pick(fresh)
            self.unused.discard(found.split("[")[0])
            return found
        if not held or self.chance(25):
            return self.pick({"e": ("0", "0.5", "-1", "1.5"), "p": ("1", "0.7", "2"), "u": ("0.3", "0.5", "0.8")}[sort])
        return self.pick(held)

    def expression(self, sort: str, kind: str, depth: int = 2) -> str:
        if depth <= 0 or self.chance(40):
            return self.atom(sort, kind)
        if kind == "" and sort == "e" and self.chance(25):
            return self.fill(self.pick(SINGLE), kind, depth - 1)
        return f"({self.fill(self.pick({'e': REAL, 'p': POSITIVE, 'u': UNIT}[sort]), kind, depth - 1)})"

    def vector(self) -> str:
        held = [name for kind in ("K", "g", "h", "rows") for name in self.names.get(("e", kind), ())]
        return self.pick([*held, "x", "y", "m3"])

    def fill(self, pattern: str, kind: str, depth: int) -> str:
        """A pattern with every hole filled: of the kind at hand, or (with a 1 before it) a single number."""
        while "{" in pattern:
            before, _, rest = pattern.partition("{")
            hole, _, after = rest.partition("}")
            if hole == "v":
                found = self.vector()
            elif hole == "one":
                found = self.pick(("1", "2"))
            elif hole == "c":
                found = self.fill(self.pick(CONDITIONS), kind, depth - 1)
            elif hole.startswith("1"):
                found = self.expression(hole[1], "", depth)
            else:
                found = self.expression(hole[0], kind, depth)
            pattern = before + found + after
        return pattern

    def latent(self, number: int) -> None:
        sort, kind = self.pick("eepu"), self.pick(KINDS)
        name = f"{sort}{number}"
        self.lines.append(f"{name}{BRACKETS.get(kind, '')} ~ {self.fill(self.pick(PRIORS[sort]), kind, 1)}")
        self.names.setdefault((sort, kind), []).append(name)
        self.unused.add(name)

    def derived(self, number: int) -> None:
        sort, kind = self.pick("eep"), self.pick(("", "rows", "g", "K"))
        name = f"d{number}"
        bracket = BRACKETS.get(kind, "") if kind != "rows" or self.chance(50) else ""
        value = self.fill(self.pick({"e": REAL, "p": POSITIVE}[sort]), kind, 2)
        if kind == "rows" and not bracket:
            value = f"x*0 + {value}"
        if kind == "K" and not bracket:
            value = f"m3*0 + {value}"
        self.lines.append(f"{name}{bracket} = {value}")
        self.names.setdefault((sort, kind), []).append(name)
        self.unused.add(name)

    def observed(self) -> None:
        name = self.pick("yyykkbc")
        right = self.fill(self.pick(OBSERVED[name]), "rows", 2)
        self.lines.append(f"{name} ~ {right}")

    def block(self) -> None:
        pattern = (
            self.pick(BLOCKS).replace("{{", "\x01").replace("}}", "\x02").replace("{e1}", "{e}").replace("{p1}", "{p}")
        )
        self.lines.append(self.fill(pattern, "rows", 1).replace("\x01", "{").replace("\x02", "}"))


HELPERS = {
    "mu[": "mu[3] ~ Normal(0, 2)", "z": "z[rows] ~ Categorical([0.2, 0.5, 0.3])", "w)": "w[3] ~ Dirichlet(2)",
    "twice(": "twice(t) = 2*t", "bend(": "bend(t, s) = t/(1 + s^2)", "P[": "P[K, K] ~ Dirichlet(1.5)",
}  # fmt: skip


@st.composite
def models(draw: Any) -> str:
    writer = Writer(draw)
    for number in range(draw(st.integers(1, 4))):
        writer.latent(number)
        if writer.chance(30):
            writer.derived(number)
    for _ in range(draw(st.integers(0, 2))):
        writer.block()
    writer.observed()
    text = "\n".join(writer.lines)
    for mark, line in HELPERS.items():
        found = "z]" in text or "+ z" in text or "(z" in text if mark == "z" else mark in text
        if found:
            pattern = line.replace("mu[3]", "mu[g]") if mark == "mu[" and "mu[g]" in text else line
            writer.lines.append(pattern)
    order = draw(st.permutations(writer.lines)) if writer.chance(30) else writer.lines
    return "\n".join(order) + "\n"


class Table:
    """A data frame of the least kind."""

    def __init__(self, **columns: Any):
        self.columns = list(columns)
        self.held = columns

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self.held[name], dtype=object)


@st.composite
def data(draw: Any) -> tuple[Table, dict[str, Any]]:
    rows = draw(st.integers(4, 5))
    small = st.sampled_from([-1.5, -0.2, 0.0, 0.4, 1.0, 2.3])

    def column(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    g = ["a", "b", "c", *column(st.sampled_from("abc"))][:rows]
    by_g = dict(zip("abc", draw(st.lists(small, min_size=3, max_size=3)), strict=True))
    h = [{"a": 1, "b": 4, "c": 4}[level] for level in g]
    y: list[Any] = column(small)
    x: list[Any] = column(small)
    k: list[Any] = column(st.integers(0, 9))
    for values in (y, k, x):
        if draw(st.integers(1, 25)) == 25:
            values[draw(st.integers(0, rows - 1))] = None
    table = Table(
        g=g, h=h, x=x, y=y, k=k, b=column(st.integers(0, 1)), c=column(st.integers(1, 3)), flag=column(st.booleans()),
        code=column(st.integers(1, K)), exposure=column(st.sampled_from([0.5, 1.0, 2.5])),
        by_g=[by_g[level] for level in g],
    )  # fmt: skip
    hits = st.lists(st.integers(0, 1), min_size=K, max_size=K)
    rest = {
        "N": rows, "K": K, "J": J, "m0": [0.5], "m3": [0.5, -1.0, 2.0], "A": [[1, 2, 0.5], [0.3, -1, 2]],
        "v2": [0.2, -0.7], "v4": [0.2, 1.1, -0.7, 0.3], "hit": draw(st.lists(hits, min_size=J, max_size=J)),
    }  # fmt: skip
    return table, rest


SPOILS = (
    "", "(", ")", "[", "]", "~", "=", ",", "..", " for ", "{", "}", "\n", "1e999", "0", "-", "^", "@", '"', "`", "inf",
    " if ", "else ", "in ", "z", "K", "[1, 2]", "[0]", "[9]", "x", "Normal(", "factor ", "1..2", ":",
    "# ", ";", "/0", "π",
)  # fmt: skip


TOKENS = re.compile(r'\w+|\.\.|"[^"]*"|[^\w\s]|\n')


@st.composite
def spoilt(draw: Any) -> str:
    """A random model with a few characters or words taken out, put in or exchanged."""
    text = draw(models())
    for _ in range(draw(st.integers(1, 2))):
        words = list(TOKENS.finditer(text))
        if not words or draw(st.integers(1, 4)) == 1:
            start = draw(st.integers(0, max(0, len(text) - 1)))
            end, new = start + draw(st.integers(0, 6)), draw(st.sampled_from(SPOILS))
        else:
            old = draw(st.sampled_from(words))
            alike = sorted({word.group() for word in words if _sort(word.group()) == _sort(old.group())})
            start, end, new = *old.span(), draw(st.sampled_from([*alike, *OTHERS[_sort(old.group())]]))
        text = text[:start] + new + text[end:]
    return text


OTHERS = {
    "number": ("0", "-1", "2.5", "1e9", "inf", "[1, 2]", "x", "m3", "A", "g"),
    "word": ("x", "y", "g", "h", "z", "A", "K", "rows", "pi", "unknown", "v2", "m3", "flag", "i", "t", "columns(x, y)"),
    "family": ("Normal", "Poisson", "Bernoulli", "Categorical", "Dirichlet", "MvNormal", "Ordered", "Beta", "Nothing"),
    "sign": ("+", "-", "*", "@", "^", "==", "<", ",", "", "..", "~", "=", "\n"),
}  # fmt: skip


def _sort(word: str) -> str:
    if word[0].isdigit():
        return "number"
    return "family" if word[0].isupper() and len(word) > 2 else "word" if word[0].isalpha() else "sign"
