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


HEAVY = {
    "pyarrow", "h5netcdf", "h5py", "rich", "pandas", "scipy.stats", "scipy.optimize", "matplotlib", "xarray", "jinja2",
    "IPython", "arviz", "scipy.special", "scipy.sparse", "scipy.linalg", "numpy.testing", "numpy.f2py", "numpy.ma",
    "numpy.polynomial", "unittest", "ppl.use.predict", "ppl.use.loo", "ppl.use.checks", "ppl.report.plots",
    "ppl.report.fitfile", "ppl.report.notebook", "ppl.report.labelled", "ppl.infer.chains", "ppl.infer.mixture",
    "ppl.rewrite.relax", "ppl.infer.fullrank", "ppl.infer.arrow", "ppl.infer.sparse", "ppl.infer.point",
}  # fmt: skip
MODEL, DATA = (str(PACKAGE.parent / "models" / f"eight_schools.{end}") for end in ("ppl", "csv"))


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = f"""
import sys
sys.argv = {["ppl", *arguments]}
try:
    import ppl.cli
    ppl.cli.main()
except SystemExit as end:
    print(end.code, *sorted(sys.modules), sep="\\n", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ended, *loaded = done.stderr.rpartition("\n0\n")[2].splitlines()
    return {ended, *loaded}


def test_a_fit_of_a_csv_loads_what_it_uses() -> None:
    """None of the packages, and none of ppl's modules, that only other commands, rungs or models need."""
    loaded = loaded_by("fit", MODEL, DATA)
    assert "numpy" in loaded and "ppl.infer.pipeline" in loaded
    assert not HEAVY & loaded


def test_reading_numbers_loads_no_pandas(tmp_path: Path) -> None:
    """pyarrow imports it for its own conversions, 0.3 s, where it is installed."""
    import pyarrow
    import pyarrow.parquet

    columns = {"x": [1.5, None, 3.0], "n": [1, 2, 3], "y": [0.5, 1.0, 2.0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "d.parquet")
    (tmp_path / "d.csv").write_text("x,n\n1.5,2\n2.5,3\n")
    code = f"""
import sys
from ppl.data import big_table, dataset
big_table.FEWEST_BYTES = 0
for name in ("d.parquet", "d.csv"):
    print(sorted(dataset.read([{str(tmp_path)!r} + "/" + name]).columns))
print("pyarrow.csv" in sys.modules, "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['n', 'x', 'y']", "['n', 'x']", "True False"]


def test_a_check_loads_what_it_uses() -> None:
    loaded = loaded_by("check", MODEL, DATA)
    assert "ppl.model.settle" in loaded
    assert not HEAVY & loaded


def test_help_loads_no_numbers() -> None:
    loaded = loaded_by("--help")
    assert "click" in loaded
    assert (
        not (HEAVY | {"numpy", "scipy", "autograd", "networkx", "lark", "ppl.api", "ppl.model", "ppl.infer"}) & loaded
    )
