"""parameters of two Normals -> the Kullback-Leibler divergence between them, in nats, in closed form."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np


def normals(mu: Any, sigma: Any, log_sigma: Any, prior_mu: Any, prior_sigma: Any) -> Any:
    """KL(Normal(mu, sigma) || Normal(prior_mu, prior_sigma)), elementwise and broadcast; differentiable by autograd.

    Its expectation over the guide's draws is that of log q - log p, without the noise of draws.
    """
    ratio = sigma / prior_sigma
    apart = (mu - prior_mu) / prior_sigma
    return 0.5 * (ratio * ratio + apart * apart - 1.0) - log_sigma + np.log(prior_sigma)
