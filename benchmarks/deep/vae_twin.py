"""The variational autoencoder of models/deep/digits_vae.ppl in plain NumPy, its gradient derived by hand.

The same network, encoder, batches and optimiser (Adam) as `ppl fit digits_vae.ppl TRAIN --amortise z --encoder H` has,
in numbers of 32 bits. It shares no code with ppl.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

BATCH = 128
PIXELS = 64


def read(path: Path) -> np.ndarray:
    with path.open() as file:
        rows = [[float(row[f"bw_{i}"]) for i in range(PIXELS)] for row in csv.DictReader(file)]
    return np.array(rows, dtype=np.float32)


def softplus(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


class Twin:
    """Encoder x -> h -> mean and log sd of z, decoder z -> t -> logits of x."""

    def __init__(self, train: np.ndarray, latents: int, hidden: int, rate: float, seed: int):
        self.train, self.latents, self.rate = train, latents, rate
        self.rng = np.random.default_rng(seed)
        sizes = {"e": (PIXELS, hidden), "m": (hidden, latents), "s": (hidden, latents), "d": (latents, hidden),
                 "x": (hidden, PIXELS)}  # fmt: skip
        self.weights: dict[str, np.ndarray] = {}
        for name, (inputs, outputs) in sizes.items():
            start = self.rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
            self.weights[name] = start.astype(np.float32)
            self.weights[name + "0"] = np.zeros(outputs, dtype=np.float32)
        self.first = {name: np.zeros_like(w) for name, w in self.weights.items()}
        self.second = {name: np.zeros_like(w) for name, w in self.weights.items()}
        self.steps = 0

    def epoch(self) -> None:
        order = self.rng.permutation(len(self.train))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            self.step(self.gradient(self.train[order[start : start + BATCH]]))

    def gradient(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Of minus the ELBO of all rows, estimated from these, at one draw."""
        w, weight = self.weights, np.float32(len(self.train) / len(x))
        signs = 2 * x - 1
        h = np.tanh(signs @ w["e"] + w["e0"])
        mean, log_sd = h @ w["m"] + w["m0"], h @ w["s"] + w["s0"]
        sd = np.exp(log_sd)
        eps = self.rng.standard_normal(mean.shape, dtype=np.float32)
        z = mean + sd * eps
        t = np.tanh(z @ w["d"] + w["d0"])
        logits = t @ w["x"] + w["x0"]
        by_logits = weight * (1 / (1 + np.exp(-logits)) - x)
        by_t = (by_logits @ w["x"].T) * (1 - t * t)
        by_z = by_t @ w["d"].T
        by_mean = by_z + weight * mean  # of KL: (sd^2 + mean^2 - 1) / 2 - log sd
        by_log_sd = by_z * eps * sd + weight * (sd * sd - 1)
        by_h = (by_mean @ w["m"].T + by_log_sd @ w["s"].T) * (1 - h * h)
        return {
            "e": signs.T @ by_h, "e0": by_h.sum(0), "m": h.T @ by_mean, "m0": by_mean.sum(0), "s": h.T @ by_log_sd,
            "s0": by_log_sd.sum(0), "d": z.T @ by_t, "d0": by_t.sum(0), "x": t.T @ by_logits, "x0": by_logits.sum(0),
        }  # fmt: skip

    def step(self, gradient: dict[str, np.ndarray]) -> None:
        """Adam (Kingma and Ba 2015)."""
        self.steps += 1
        rate = self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for name, g in gradient.items():
            first, second = self.first[name], self.second[name]
            first += 0.1 * (g - first)
            second += 0.001 * (g * g - second)
            self.weights[name] -= np.float32(rate) * first / (np.sqrt(second) + np.float32(1e-8))

    def log_weights(self, x: np.ndarray, draws: int) -> np.ndarray:
        """log p(x, z) - log q(z) at draws of z from the encoder (draws, rows): their mean is the ELBO of a row."""
        w = {name: value.astype(np.float64) for name, value in self.weights.items()}
        h = np.tanh((2.0 * x - 1) @ w["e"] + w["e0"])
        mean, log_sd = h @ w["m"] + w["m0"], h @ w["s"] + w["s0"]
        rng, found = np.random.default_rng(99), []
        for _ in range(draws):
            eps = rng.standard_normal(mean.shape)
            z = mean + np.exp(log_sd) * eps
            logits = np.tanh(z @ w["d"] + w["d0"]) @ w["x"] + w["x0"]
            log_likelihood = (x * logits - softplus(logits)).sum(1)
            found.append(log_likelihood + (0.5 * eps**2 - 0.5 * z**2 + log_sd).sum(1))
        return np.array(found)

    def bound(self, x: np.ndarray, draws: int = 100) -> float:
        """Mean ELBO of the rows, nats."""
        return float(self.log_weights(x, draws).mean())
