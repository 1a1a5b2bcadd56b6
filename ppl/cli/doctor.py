"""nothing -> what this installation consists of, and what is missing: `ppl doctor`."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click

from ppl.cli.group import commands
from ppl.version import VERSION

_NEEDED = (
    "numpy",
    "scipy",
    "autograd",
    "networkx",
    "lark",
    "click",
    "rich",
    "h5netcdf",
    "h5py",
    "pyarrow",
    "jinja2",
    "threadpoolctl",
)
_EXTRAS = (
    ("plot", ("matplotlib",), "`ppl plot`, and the pictures of `ppl report`"),
    ("notebook", ("ipython", "pandas", "xarray", "arviz"), "`%%ppl` in notebooks, `fit.to_xarray()`, `fit.to_arviz()`"),
)
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@commands.command()
def doctor() -> int:
    """Say which versions are installed, what is missing and what it would give, and how many threads BLAS has.

    The exit code is 0 where ppl itself is whole, missing extras or not, and 6 where a package it needs is missing.
    """
    rows = [
        ("ppl", VERSION),
        ("python", f"{platform.python_version()}  {sys.executable}"),
        ("system", platform.platform()),
    ]
    rows += [(name, _version(name) or "MISSING: pip install " + name) for name in _NEEDED]
    _print(rows)
    click.echo("\nextras:")
    for extra, packages, gives in _EXTRAS:
        missing = [name for name in packages if _version(name) is None]
        found = ", ".join(f"{name} {_version(name)}" for name in packages if name not in missing)
        lacking = f"lacks {', '.join(missing)}: pip install 'ppl[{extra}]'" if missing else found
        click.echo(f"  {extra.ljust(9)} {lacking}  ({gives})")
    click.echo("\nthreads:")
    _print(
        [("cores", str(os.cpu_count())), ("BLAS", _blas()), *((n, os.environ[n]) for n in _THREADS if n in os.environ)]
    )
    click.echo("  a fit runs BLAS on one thread, so that the same seed gives the same bits")
    return 6 if any(_version(name) is None for name in _NEEDED) else 0


def _print(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"  {name.ljust(width)}  {value}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _blas() -> str:
    """The library that numpy multiplies matrices with."""
    import numpy as np

    found = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()
