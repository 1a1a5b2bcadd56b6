"""The autoencoder of models/deep/digits_vae.ppl in ppl and in two twins: held-out bounds, CPU seconds of an epoch.

python benchmarks/deep/vae.py FOLDER [--peers PYTHON] [--epochs N]

FOLDER has the tables of models/deep/write_data.py. The twins are NumPy by hand (`vae_twin.py`) and, with a Python that
has it, NumPyro (`vae_numpyro.py`). Epochs are timed in turn, `ROUNDS` times so many of each; an epoch of ppl counts its
looks at the validation ELBO in. Of each round the ratio is taken, and of the ratios the median.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from vae_twin import Twin, read

import ppl
from ppl.infer.draws import generator
from ppl.infer.stochastic.begin import begin
from ppl.infer.stochastic.build import build
from ppl.infer.stochastic.fit import options_of, validation
from ppl.infer.stochastic.objective import Objective
from ppl.infer.stochastic.train import train
from ppl.infer.stochastic.wish import Wish
from ppl.numeric.threads import one_blas_thread

MODEL = Path(__file__).parents[2] / "models" / "deep" / "digits_vae.ppl"
LATENTS, HIDDEN, RATE = 10, 128, 1e-3
ROUNDS, AT_ONCE = 7, 60


def of_ppl(table: Path) -> Callable[[int], float]:
    posterior = ppl.load(MODEL).condition(table)
    wish = Wish(amortise=("z",), hidden=(HIDDEN,), batch_size=128, learning_rate=RATE)
    built = build(posterior.model, posterior.joint, wish)
    objective = Objective(built, 1, 50)
    phi = begin(built, generator(1, 1)).astype(objective.dtype)

    def epochs(count: int) -> float:
        options = options_of(objective, replace(wish, epochs=count), 1)
        used = time.process_time()
        trained = train(objective, phi, options, validation(objective))
        return (time.process_time() - used) * count * objective.batches / trained.steps

    return epochs


def of_twin(table: Path) -> Callable[[int], float]:
    twin = Twin(read(table), LATENTS, HIDDEN, RATE, 1)

    def epochs(count: int) -> float:
        used = time.process_time()
        for _ in range(count):
            twin.epoch()
        return time.process_time() - used

    return epochs


def of_numpyro(python: str, tables: list[str]) -> Callable[[int], float]:
    command = [python, str(Path(__file__).parent / "vae_numpyro.py"), *tables, "--serve"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    ask, answer = process.stdin, process.stdout

    def epochs(count: int) -> float:
        ask.write(f"{count}\n")
        ask.flush()
        return float(answer.readline())

    return epochs


def bounds(folder: Path, epochs: int, peers: str) -> dict[str, dict[str, float]]:
    train_table, test_table = folder / "digits.csv", folder / "digits_test.csv"
    fit = ppl.load(MODEL).condition(train_table).fit(
        amortise="z", encoder=(HIDDEN,), batch_size=128, epochs=epochs, learning_rate=RATE, draws=1000, seed=1
    )  # fmt: skip
    held_out = fit.evaluate(test_table, draws=500, seed=1)
    twin = Twin(read(train_table), LATENTS, HIDDEN, RATE, 1)
    for _ in range(epochs):
        twin.epoch()
    logs = twin.log_weights(read(test_table), 500)
    likelihood = float((np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))).mean())
    found = {
        "ppl": {"bound": float(held_out.bounds.mean()), "log likelihood": float(held_out.by_row.mean())},
        "NumPy": {"bound": float(logs.mean()), "log likelihood": likelihood},
    }
    if peers:
        command = [peers, str(Path(__file__).parent / "vae_numpyro.py"), str(train_table), str(test_table)]
        text = subprocess.run([*command, "--epochs", str(epochs)], capture_output=True, text=True, check=True).stdout
        other = json.loads(text)
        found["NumPyro"] = {"bound": other["held_out_bound"], "log likelihood": other["held_out_log_likelihood"]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", default="", help="a Python with NumPyro")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--only-time", action="store_true")
    options = parser.parse_args()
    table = options.folder / "digits.csv"
    if not options.only_time:
        for name, found in bounds(options.folder, options.epochs, options.peers).items():
            print(f"{name:8} held out, nats a row: " + ", ".join(f"{what} {x:.2f}" for what, x in found.items()))
    ways = {"ppl": of_ppl(table), "NumPy": of_twin(table)}
    if options.peers:
        ways["NumPyro"] = of_numpyro(options.peers, [str(table), str(options.folder / "digits_test.csv")])
    with one_blas_thread():
        for epochs in ways.values():
            epochs(2)  # compiled, and warm
        seconds = np.array([[epochs(AT_ONCE) / AT_ONCE for epochs in ways.values()] for _ in range(ROUNDS)])
    for i, name in enumerate(ways):
        ratio = np.median(seconds[:, 0] / seconds[:, i])
        print(f"{name:8} {1e3 * np.median(seconds[:, i]):.2f} ms of CPU an epoch; ppl takes {ratio:.2f} times that")


if __name__ == "__main__":
    main()
