"""The house keeps its order: nothing imports from a phase that comes after its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ppl"
ORDER = [
    "version",
    "values",
    "language",
    "data",
    "numeric",
    "model",
    "rewrite",
    "compile",
    "infer",
    "report",
    "use",
    "api",
    "magic",
    "cli",
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))


def phase_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The phases a module imports from, those for type checking alone left out."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            from_ppl = node.module == "ppl"
            names = [f"ppl.{alias.name}" for alias in node.names] if from_ppl else [node.module or ""]
        else:
            continue
        found |= {name.split(".")[1] if "." in name else "api" for name in names if name.split(".")[0] == "ppl"}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_comes_before(path: Path) -> None:
    own = ORDER.index(phase_of(path))
    later = [phase for phase in imported(path) if ORDER.index(phase) > own]
    assert not later, f"{path} imports from {later}, which come after {phase_of(path)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_first_line_says_what_the_module_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring and docstring.splitlines()[0].strip()


def test_no_module_is_too_long_to_read() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_nothing_evaluates_text() -> None:
    """Models and data are untrusted: no eval, exec, compile or pickle anywhere."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert all(alias.name not in ("pickle", "marshal", "shelve") for alias in node.names), path


def test_heavy_packages_wait_until_they_are_used() -> None:
    """A fit of a CSV file loads none of the packages that only other commands need."""
    code = "import sys, ppl, ppl.cli; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {
        "pyarrow", "h5netcdf", "h5py", "rich", "pandas", "scipy.stats", "scipy.optimize", "matplotlib", "xarray",
        "jinja2", "IPython", "arviz",
    }  # fmt: skip
    assert not heavy & loaded
