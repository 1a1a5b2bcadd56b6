"""The variational autoencoder of models/deep/digits_vae.ppl in NumPyro: held-out bound, seconds an epoch -> JSON.

PEERS/bin/python benchmarks/deep/vae_numpyro.py TRAIN.csv TEST.csv [--epochs N] [--latents D] [--hidden H] [--float64]

The same network, encoder, batches, optimiser (Adam) as `ppl fit digits_vae.ppl TRAIN.csv --amortise z --encoder H` has;
one epoch is one compiled call. The bound of a held-out row is its ELBO under its own encoding, over 100 draws.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import lax, random
from numpyro.infer import SVI, Trace_ELBO

BATCH = 128


def read(path: Path) -> np.ndarray:
    with path.open() as file:
        return np.array([[float(row[f"bw_{i}"]) for i in range(64)] for row in csv.DictReader(file)])


def dense(name: str, inputs: int, outputs: int, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    start = random.normal(key, (inputs, outputs)) / np.sqrt(inputs)
    return numpyro.param(f"{name}.w", start), numpyro.param(f"{name}.b", jnp.zeros(outputs))


def twin(latents: int, hidden: int, rows: int):
    keys = random.split(random.PRNGKey(7), 5)

    def model(x: jax.Array) -> None:
        w1, b1 = dense("d1", latents, hidden, keys[0])
        w2, b2 = dense("d2", hidden, 64, keys[1])
        with numpyro.plate("rows", rows, subsample_size=len(x)):
            z = numpyro.sample("z", dist.Normal(jnp.zeros(latents), 1.0).to_event(1))
            logit = b2 + jnp.tanh(b1 + z @ w1) @ w2
            numpyro.sample("x", dist.Bernoulli(logits=logit).to_event(1), obs=x)

    def guide(x: jax.Array) -> None:
        w, b = dense("e1", 64, hidden, keys[2])
        wm, bm = dense("em", hidden, latents, keys[3])
        ws, bs = dense("es", hidden, latents, keys[4])
        h = jnp.tanh((2 * x - 1) @ w + b)
        with numpyro.plate("rows", rows, subsample_size=len(x)):
            numpyro.sample("z", dist.Normal(h @ wm + bm, jnp.exp(h @ ws + bs)).to_event(1))

    return model, guide


def epoch_of(svi: SVI, train: jax.Array):
    """state, key -> state and the sum of the losses, after one pass over shuffled batches; compiled."""
    rows, batches = len(train), len(train) // BATCH

    @jax.jit
    def epoch(state, key):
        order = random.permutation(key, rows)

        def step(i, carried):
            state, total = carried
            state, loss = svi.update(state, train[lax.dynamic_slice(order, (i * BATCH,), (BATCH,))])
            return state, total + loss

        return lax.fori_loop(0, batches, step, (state, 0.0))

    return epoch


def bound(parameters: dict[str, jax.Array], latents: int, hidden: int, test: jax.Array) -> jax.Array:
    """ELBO of the rows held out, nats a row: a plate as long as the table, so that nothing is scaled."""
    loss = Trace_ELBO(num_particles=100).loss
    return -loss(random.PRNGKey(99), parameters, *twin(latents, hidden, len(test)), test) / len(test)


def likelihood(p: dict[str, jax.Array], test: jax.Array) -> jax.Array:
    """By importance sampling from the encoder, 500 draws: nats a row."""
    h = jnp.tanh((2 * test - 1) @ p["e1.w"] + p["e1.b"])
    mean, log_sd = h @ p["em.w"] + p["em.b"], h @ p["es.w"] + p["es.b"]
    eps = random.normal(random.PRNGKey(5), (500, *mean.shape))
    z = mean + jnp.exp(log_sd) * eps
    logit = p["d2.b"] + jnp.tanh(p["d1.b"] + z @ p["d1.w"]) @ p["d2.w"]
    log_p = dist.Bernoulli(logits=logit).log_prob(test).sum(-1) + dist.Normal(0, 1).log_prob(z).sum(-1)
    log_q = (dist.Normal(0, 1).log_prob(eps) - log_sd).sum(-1)
    return (jax.scipy.special.logsumexp(log_p - log_q, axis=0) - jnp.log(500)).mean()


def serve(epoch, state) -> None:
    """A number of epochs on each line -> the CPU seconds that they took."""
    for i, line in enumerate(sys.stdin):
        used = time.process_time()
        for j in range(int(line)):
            state, _ = epoch(state, random.PRNGKey(1000 * i + j))
        jax.block_until_ready(state)
        print(time.process_time() - used, flush=True)


def trained(epoch, state, epochs: int):
    """State after so many epochs, and the seconds: of the first, compiling, and by clock and CPU of one of the rest."""
    start = time.perf_counter()
    state, _ = epoch(state, random.PRNGKey(0))
    jax.block_until_ready(state)
    compiling = time.perf_counter() - start
    start, used = time.perf_counter(), time.process_time()
    for i in range(1, epochs):
        state, _ = epoch(state, random.PRNGKey(i))
    jax.block_until_ready(state)
    rest = max(1, epochs - 1)
    clock, cpu = (time.perf_counter() - start) / rest, (time.process_time() - used) / rest
    return state, {"seconds_an_epoch": clock, "cpu_seconds_an_epoch": cpu, "compile_seconds": compiling}


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    for name, value in (("epochs", 300), ("latents", 10), ("hidden", 128), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--float64", action="store_true", help="numbers of 64 bits, as ppl's")
    parser.add_argument("--serve", action="store_true", help="for vae.py")
    return parser.parse_args()


def main() -> None:
    options = asked()
    numpyro.enable_x64(options.float64)
    train, test = jnp.asarray(read(options.train)), jnp.asarray(read(options.test))
    sizes = options.latents, options.hidden
    svi = SVI(*twin(*sizes, len(train)), numpyro.optim.Adam(options.rate), Trace_ELBO())
    state, epoch = svi.init(random.PRNGKey(options.seed), train[:BATCH]), epoch_of(svi, train)
    if options.serve:
        serve(epoch, state)
        return
    state, seconds = trained(epoch, state, options.epochs)
    parameters = svi.get_params(state)
    found = {
        "held_out_bound": float(bound(parameters, *sizes, test)),
        "held_out_log_likelihood": float(likelihood(parameters, test)), "epochs": options.epochs, **seconds,
        "versions": {"numpyro": numpyro.__version__, "jax": jax.__version__},
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
