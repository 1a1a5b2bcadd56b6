"""Times how long models of a thousand lines take to be read and checked, before any data.

python benchmarks/check.py [--lines N]
"""

from __future__ import annotations

import argparse
import platform
import time

import ppl
from ppl.language.parser import parse
from ppl.language.source import Source


def model(lines: int) -> str:
    """Latents, derived names and observations in turn, each of a few operations."""
    blocks = [
        f"b{i}[group] ~ Normal(mu, 1) > 0  # of {i}\n"
        f"c{i} = (b{i}[group] * x{i} + exp(x{i} / 2)) if x{i} > 0 else sum(x{i}) - 1\n"
        f"for t in 2..rows {{ d{i}[t] ~ Normal(0.5*d{i}[t-1] + c{i}[t], 1) }}\n"
        f"y{i} ~ Normal(c{i}, 1)\n"
        for i in range(lines // 4)
    ]
    return "mu ~ Normal(0, 1)\n" + "".join(blocks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1000)
    text = model(parser.parse_args().lines)
    ppl.from_text("mu ~ Normal(0, 1)")  # the grammar is read once
    start = time.process_time()
    parse(Source("model.ppl", text))
    parsed = time.process_time()
    ppl.from_text(text)
    done = time.process_time()
    print(f"Python {platform.python_version()}, {text.count(chr(10))} lines, {len(text)} characters")
    print(f"{'parse':22s} {parsed - start:8.2f} s CPU")
    print(f"{'parse and check names':22s} {done - parsed:8.2f} s CPU")


if __name__ == "__main__":
    main()
