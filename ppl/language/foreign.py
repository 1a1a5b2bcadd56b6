"""words and signs of other languages -> what to write here: Stan, BUGS, PyMC, R, Python, and word processors."""

from __future__ import annotations

import re

from ppl.values import dataclass

_DERIVED = "a derived name is written `name = expression`"
_CHOICE = "a choice is written `a if condition else b`"
_POWER = "a power is written `x^2`"
_QUOTES = 'text stands in straight double quotes: "Aitkin"'
_ONCE = "a name has one definition: give the new value a name of its own"
_FUNCTION = "a function is one line, `f(x) = expression`"
_LOOP = "a loop is written `for i in 1..n { ... }`; most models need none, arrays are calculated with as a whole"

SIGNS = {
    "'": 'text stands in double quotes: "Aitkin"',
    "“": _QUOTES,
    "”": _QUOTES,
    "„": _QUOTES,
    "‘": _QUOTES,
    "’": _QUOTES,
    "−": "this is a typographic minus: write `-`",
    "–": "this is a dash: write `-`",
    "∼": "this is another sign: write `~`",
    "˜": "this is another sign: write `~`",
    "×": "a product is written `a * b`",
    "·": "a product is written `a * b`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "!": "write `not x`, or `!=` between two values",
    "&": "write `and`",
    "|": "write `or`",
    "%": "a matrix product is `x @ y`; a remainder does not exist here",
    "$": "columns are named directly: `height`, not `data$height`",
    "?": _CHOICE,
    "{": "braces stand only after `for` and `ode`; a list is written `[a, b]`",
    ":": "a range is written `a..b`; a `:` alone in an index is a whole axis",
    "..": "a range stands in an index, `x[1..5]`, or after `in`",
    ",": "values that belong together stand in a list, `[a, b]`; statements stand on lines of their own",
    "\\": "a line goes on inside brackets and after an operator, without a sign",
    "else": _CHOICE,
    "**": _POWER,
    ".^": _POWER,
    ".*": "`*` multiplies element by element",
    "./": "`/` divides element by element",
    "//": "a comment starts with `#`",
    "/*": "a comment starts with `#`, on each of its lines",
    "&&": "write `and`",
    "||": "write `or`",
    "<-": "a derived name is written `name = expression`, a random one `name ~ Family(...)`",
    "->": _DERIVED,
    ":=": _DERIVED,
    "+=": _ONCE,
    "-=": _ONCE,
    "*=": _ONCE,
    "/=": _ONCE,
    "%*%": "a matrix product is `x @ y`",
}


@dataclass(frozen=True, slots=True)
class Habit:
    """A turn of another language: group 1 of the pattern is what cannot be read, in the text of one statement."""

    pattern: re.Pattern[str]
    mend: str


def _habit(pattern: str, mend: str) -> Habit:
    return Habit(re.compile(pattern), mend)


_TYPES = r"int|real|vector|row_vector|matrix|array|simplex|ordered|positive_ordered|cov_matrix|cholesky_factor_corr"

_BLOCK = _habit(
    r"^\s*((?:functions|transformed\s+data|data|transformed\s+parameters|parameters|model|generated\s+quantities)\s*\{)",
    "a model has no blocks: its statements stand one below the other, and nothing is declared",
)
HABITS = (
    _BLOCK,
    _habit(
        rf"^\s*((?:{_TYPES})(?:\s*<[^>]*>|\s*\[[^\]]*\])*)\s+[\w`]",
        "nothing is declared: a name gets its shape from its statement, `beta[3] ~ ...`, or from the data",
    ),
    _habit(r"^\s*((?:import|from|library|require)\b(?!\s*[~=]))", "nothing is imported: all functions are there"),
    _habit(r"^\s*(def\b(?!\s*[~=]))", _FUNCTION),
    _habit(r"\b(function\s*\()", _FUNCTION),
    _habit(r"\b(lambda\b[\w\s,]*:)", _FUNCTION),
    _habit(r"^\s*(return\b(?!\s*[~=]))", f"{_FUNCTION}; what stands right of `=` is its value"),
    _habit(r"\b(for\s*\()", _LOOP),
    _habit(r"^\s*(for\b(?!.*\{))", _LOOP),
    _habit(r"(?:^|[=(,~])\s*(if\b)", _CHOICE),
    _habit(
        r"^\s*(target\s*\+=)",
        "what is observed is written `y ~ Normal(mu, sigma)`; `factor expression` adds to the log density",
    ),
    _habit(r"\)\s*([TI]\s*\()", "bounds stand beside the family: `Normal(0, 1) > 0`, `0 < Normal(0, 1) < 2`"),
    _habit(r"(?<![\w.`])([0-9]+(?:_[0-9]+)+)\b", "digits are written without separators: 1000000, or 1e6"),
    _habit(r"(?<![\w.`])([0-9]+\.[0-9]+\.[0-9][0-9.]*)", "a number has one decimal point"),
    _habit(
        r"([^\W\d]\w*\.[^\W\d]\w*\s*\()", "functions stand by themselves: `sqrt(x)`, not `np.sqrt(x)` or `x.sqrt()`"
    ),
    _habit(
        r"(?<![\w`])([^\W\d]\w*(?:\.[^\W\d]\w*)+)",
        "names hold no points; a column that is called so is written in backticks: `mom.hs`",
    ),
)

_COMMENT_OR_TEXT = re.compile(r'#[^\n]*|"[^"\n]*"|`[^`\n]*`')


def turn(statement: str) -> tuple[int, int, str] | None:
    """The first turn of another language in a statement: where it begins and ends, and what to write."""
    bare = _COMMENT_OR_TEXT.sub(lambda quoted: " " * len(quoted.group()), statement)
    for habit in HABITS:
        match = habit.pattern.search(bare)
        if match is not None:
            return match.start(1), match.end(1), habit.mend
    return None


# What families are called elsewhere, and how they are written here. Names that only lack their capitals need no row.
FAMILIES = {
    "std_normal": "`Normal(0, 1)`",
    "norm": "`Normal(mean, sd)`",
    "gaussian": "`Normal(mean, sd)`",
    "dnorm": "`Normal(mean, prec = ...)` for BUGS, `Normal(mean, sd)` for R",
    "t": "`StudentT(df, location, scale)`",
    "dt": "`StudentT(df, location, scale)`",
    "dexp": "`Exponential(rate)`",
    "dgamma": "`Gamma(shape, rate)`",
    "dbeta": "`Beta(a, b)`",
    "dunif": "`Uniform(lower, upper)`",
    "unif": "`Uniform(lower, upper)`",
    "dbern": "`Bernoulli(p)`",
    "dbin": "`Binomial(n, p)`; BUGS has `p` first",
    "dbinom": "`Binomial(n, p)`",
    "dpois": "`Poisson(rate)`",
    "dcat": "`Categorical(p)`",
    "dflat": "`Flat()`",
    "dlnorm": "`LogNormal(mean, sd)`",
    "dmnorm": "`MvNormal(mean, prec = ...)`",
    "ddirch": "`Dirichlet(concentration)`",
    "dlogis": "`Logistic(location, scale)`",
    "ddexp": "`Laplace(location, scale)`",
    "double_exponential": "`Laplace(location, scale)`",
    "bernoulli_logit": "`Bernoulli(logit = ...)`",
    "binomial_logit": "`Binomial(n, logit = ...)`",
    "poisson_log": "`Poisson(log = ...)`",
    "categorical_logit": "`Categorical(logit = ...)`",
    "neg_binomial_2": "`NegBinomial(mean, size)`",
    "neg_binomial_2_log": "`NegBinomial(log = ..., size)`",
    "multi_normal": "`MvNormal(mean, cov)`",
    "multi_normal_cholesky": "`MvNormal(mean, chol = ...)`",
    "multi_normal_prec": "`MvNormal(mean, prec = ...)`",
    "inv_gamma": "`InvGamma(shape, scale)`",
    "multi_student_t": "`MvStudentT(df, mean, cov)`",
    "multi_gp": "`GP(cov)`",
    "lkj_corr": "`LKJ(shape)`",
    "lkj_corr_cholesky": "`LKJCholesky(shape)`",
    "wishart": "`Wishart(df, scale)`",
    "dwish": "`Wishart(df, scale)`, whose scale is the inverse of what BUGS takes",
    "inv_wishart": "`InvWishart(df, scale)`",
    "lognormal": "`LogNormal(mean, sd)`",
    "exp_mod_normal": "`ExGaussian(mean, sd, rate)`",
    "exgauss": "`ExGaussian(mean, sd, rate)`",
    "dchisqr": "`ChiSquare(df)`",
    "chi2": "`ChiSquare(df)`",
    "dpar": "`Pareto(scale, shape)`; BUGS has the shape first",
    "wald": "`InvGaussian(mean, shape)`",
    "dgeom": "`Geometric(p)`",
    "geom": "`Geometric(p)`, of the failures before the first success",
    "dmulti": "`Multinomial(n, p)`",
    "multinomial_logit": "`Multinomial(n, logit = ...)`",
    "dbetabin": "`BetaBinomial(n, a, b)`",
    "randint": "`DiscreteUniform(low, high)`, both ends included",
}

# The same for functions.
FUNCTIONS = {
    "pow": "`x^2`",
    "power": "`x^2`",
    "square": "`x^2`",
    "ln": "`log(x)`",
    "log2": "`log(x) / log(2)`",
    "fabs": "`abs(x)`",
    "length": "`rows`, the number of rows of the table",
    "ifelse": "`a if condition else b`",
    "if_else": "`a if condition else b`",
    "where": "`a if condition else b`",
    "expit": "`inv_logit(x)`",
    "sigmoid": "`inv_logit(x)`",
    "ilogit": "`inv_logit(x)`",
    "invlogit": "`inv_logit(x)`",
    "plogis": "`inv_logit(x)`",
    "qlogis": "`logit(x)`",
    "pnorm": "`Phi(x)`",
    "phi": "`Phi(x)`",
    "normal_cdf": "`Phi(x)`",
    "gammaln": "`lgamma(x)`",
    "loggam": "`lgamma(x)`",
    "beta": "`exp(lbeta(a, b))`",
    "choose": "`exp(lchoose(n, k))`",
    "average": "`mean(x)`",
    "std": "`sd(x)`",
    "stddev": "`sd(x)`",
    "variance": "`var(x)`",
    "dot": "`x @ y`",
    "dot_product": "`x @ y`",
    "inprod": "`x @ y`",
    "matmul": "`x @ y`",
    "log_sum_exp": "`logsumexp(x)`",
    "cumulative_sum": "`cumsum(x)`",
    "step": "`x >= 0`",
    "equals": "`x == y`",
    "c": "`[a, b]`",
    "array": "`[a, b]`",
    "list": "`[a, b]`",
    "round": "`floor(x + 0.5)`",
    "ceil": "`-floor(-x)`",
    "ceiling": "`-floor(-x)`",
    "t": "`transpose(x)`",
    "inverse": "`inv(x)`",
    "inverse_spd": "`inv(x)`",
    "ginv": "`inv(x)`",
    "determinant": "`det(x)`",
    "log_determinant": "`logdet(x)`",
    "slogdet": "`logdet(x)`",
    "chol": "`cholesky(x)`, the lower factor",
    "cholesky_decompose": "`cholesky(x)`",
    "mdivide_left": "`solve(A, b)`",
    "mdivide_left_spd": "`solve(A, b)`",
    "mdivide_left_tri_low": "`solve(A, b)`",
    "diag_matrix": "`diag(x)`",
    "diagonal": "`diag(x)`",
    "diag_pre_multiply": "`diag(v) @ M`",
    "diag_post_multiply": "`M @ diag(v)`",
    "quad_form_diag": "`diag(v) @ M @ diag(v)`",
    "quad_form": "`transpose(B) @ A @ B`",
    "tcrossprod": "`x @ transpose(x)`",
    "crossprod": "`transpose(x) @ x`",
    "multiply_lower_tri_self_transpose": "`L @ transpose(L)`",
    "identity_matrix": "`eye(n)`",
    "identity": "`eye(n)`",
    "rep": "`repeat(x, n)`",
    "rep_vector": "`repeat(x, n)`",
    "rep_row_vector": "`repeat(x, n)`",
    "rep_array": "`repeat(x, n)`",
    "rep_matrix": "`x*ones(n, m)`",
    "tile": "`repeat(x, n)`",
    "linspace": "`seq(a, b, n)`",
    "linspaced_vector": "`seq(a, b, n)`",
    "arange": "`seq(a, b)`",
    "append_row": "`vcat(a, b)`, or `concat(a, b)` for vectors",
    "append_col": "`hcat(a, b)`",
    "append_array": "`concat(a, b)`",
    "concatenate": "`concat(a, b)`",
    "rbind": "`vcat(a, b)`",
    "vstack": "`vcat(a, b)`",
    "cbind": "`hcat(a, b)`",
    "hstack": "`hcat(a, b)`",
    "column_stack": "`hcat(a, b)`",
    "to_vector": "`flatten(x)`",
    "ravel": "`flatten(x)`",
    "one_hot": "`onehot(x, K)`",
    "one_hot_vector": "`onehot(x, K)`",
    "scale": "`standardize(x)`",
    "zscore": "`standardize(x)`",
    "bs": "`bspline(x, df)`",
    "cov_exp_quad": "`exp_quad(x, alpha, rho)`",
    "gp_exp_quad_cov": "`exp_quad(x, alpha, rho)`",
    "rbf": "`exp_quad(x, alpha, rho)`",
    "gp_matern32_cov": "`matern32(x, alpha, rho)`",
    "gp_matern52_cov": "`matern52(x, alpha, rho)`",
    "gp_periodic_cov": "`periodic(x, alpha, rho, period)`",
}

# What parameters are called elsewhere: the first of these that a family has.
PARAMETERS = {
    "mu": ("mean", "location"),
    "loc": ("mean", "location"),
    "sigma": ("sd", "scale", "cov"),
    "sd": ("scale",),
    "scale": ("sd",),
    "tau": ("prec",),
    "precision": ("prec",),
    "nu": ("df",),
    "lam": ("rate",),
    "lambda": ("rate",),
    "mean": ("location",),
    "alpha": ("shape", "a", "concentration", "size"),
    "beta": ("rate", "scale", "b"),
    "eta": ("logit", "log", "shape"),
    "logits": ("logit",),
    "logit_p": ("logit",),
    "prob": ("p",),
    "probs": ("p",),
    "size": ("n",),
    "phi": ("size",),
    "low": ("lower",),
    "high": ("upper",),
    "lower": ("low",),
    "upper": ("high",),
    "kappa": ("concentration",),
    "cuts": ("cutpoints",),
    "min": ("lower",),
    "max": ("upper",),
}

# Constants and lengths, by the names they have elsewhere.
NAMES = {
    "TRUE": "`1`",
    "True": "`1`",
    "FALSE": "`0`",
    "False": "`0`",
    "Inf": "`inf`",
    "infinity": "`inf`",
    "PI": "`pi`",
}
LENGTHS = ("N", "n", "nrow", "nobs", "n_obs", "length")
COUNTERS = ("i", "j")
