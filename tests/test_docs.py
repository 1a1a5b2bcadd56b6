"""The pages in docs/: every model in them is run, and what the language has stands in them.

A block marked ppl is a whole model. Its data stand in the blocks marked csv or json right after it, `csv COLUMN` being
a table over the levels of a column; a model without data of its own takes those at the head of its page. A comment
that begins with `=` is the value of the name defined on its line, to the digits that are shown.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import ppl
from ppl.data import faults
from ppl.language import syntax as s
from ppl.language.formatter import formatted
from ppl.model.arguments import show_form
from ppl.model.distributions.constraint import CONSTRAINTS
from ppl.model.distributions.table import FAMILIES
from ppl.model.functions import FUNCTIONS
from ppl.model.wrappers import WRAPPERS
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VALUE = re.compile(r"^\s*(\w+) *=[^#\n]*# = ([^\n]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A model on a page, from the line that its block begins at, and its blocks of data as (mark, text)."""

    page: str
    line: int
    text: str
    data: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.page}.md:{self.line}"


def examples_of(page: str) -> Iterator[Example]:
    blocks = [
        (match[1].strip(), match[2], PAGES[page].count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(PAGES[page])
    ]
    models = [i for i, (mark, _, _) in enumerate(blocks) if mark == "ppl"]
    ends = [*models, len(blocks)]
    head = _data(blocks[: ends[0]])
    for i, following in zip(models, ends[1:], strict=True):
        _, text, line = blocks[i]
        yield Example(page, line, text, _data(blocks[i + 1 : following]) or head)


def _data(blocks: list[tuple[str, str, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((mark, text) for mark, text, _ in blocks if mark.split()[:1] in (["csv"], ["json"]))


EXAMPLES = [example for page in PAGES for example in examples_of(page)]
examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@cache
def conditioned(example: Example, folder: Path) -> ppl.Posterior:
    sources: list[Any] = []
    tables = {}
    for mark, text in example.data:
        kind, *over = mark.split()
        source: Any = json.loads(text) if kind == "json" else folder / f"{'_'.join(over) or 'table'}.csv"
        if kind == "csv":
            source.write_text(text, encoding="utf-8")
        if over:
            tables[over[0]] = source
        else:
            sources.append(source)
    return ppl.from_text(example.text, example.name).condition(*sources, **tables)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("docs")


@examples
def test_runs(example: Example, folder: Path) -> None:
    """It meets its data, and its log density and gradient are finite somewhere."""
    joint = conditioned(example, folder).joint
    z = np.random.default_rng(1).normal(0, 0.3, (3, joint.dimension))
    value, gradient = joint.value_and_gradient(z)
    assert np.isfinite(value).any() and np.isfinite(gradient[np.isfinite(value)]).all()


@examples
def test_is_in_the_style_of_the_house(example: Example) -> None:
    assert formatted(ppl.from_text(example.text).program.source) == example.text


@pytest.mark.parametrize("example", [e for e in EXAMPLES if _VALUE.search(e.text)], ids=lambda example: example.name)
def test_values_are_those_shown(example: Example, folder: Path) -> None:
    derived = conditioned(example, folder).model.derived
    for name, shown in _VALUE.findall(example.text):
        decimals = max((len(digits) for digits in re.findall(r"\.([0-9]+)", shown)), default=0)
        expected = np.array(json.loads(shown))
        found = np.asarray(derived[name].value)
        assert found.shape == expected.shape, name
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.5000001 * 10.0**-decimals, err_msg=name)


# -- all that there is -------------------------------------------------------------------------------------------------


def _nodes(example: Example) -> Iterator[s.Statement | s.Node]:
    stack: list[Any] = list(ppl.from_text(example.text).program.statements)
    while stack:
        at = stack.pop()
        if isinstance(at, tuple):
            stack.extend(at)
        elif type(at).__module__ == s.__name__:
            yield at
            stack.extend(getattr(at, name) for name in at.__slots__ if name != "span")


ALL_NODES = {page: [(example, list(_nodes(example))) for example in examples_of(page)] for page in PAGES}


def _used(page: str, kind: type, name: str) -> set[str]:
    """The names of all functions, or of all families, that the models of a page use."""
    return {getattr(node, name).name for _, nodes in ALL_NODES[page] for node in nodes if isinstance(node, kind)}


def test_every_kind_of_statement_and_expression_has_an_example() -> None:
    shown = {type(node) for _, nodes in ALL_NODES["language"] for node in nodes}
    assert {*get_args(s.Statement), *get_args(s.Node)} - shown == set()


def test_every_function_has_an_example_and_a_row() -> None:
    assert FUNCTIONS.keys() - _used("functions", s.Call, "function") == set()
    rows = set(re.findall(r"`(\w+)\(", "\n".join(re.findall(r"^\| (.*?) \|", PAGES["functions"], re.MULTILINE))))
    assert rows == FUNCTIONS.keys()


def _sections(page: str) -> dict[str, str]:
    """What stands under each heading of the third order."""
    parts = re.split(r"^(#+ .*)$", PAGES[page], flags=re.MULTILINE)
    return {
        head.removeprefix("### "): body
        for head, body in zip(parts[1::2], parts[2::2], strict=True)
        if head.startswith("### ")
    }


def test_every_family_and_wrapper_has_a_section() -> None:
    assert sorted(_sections("families")) == sorted([*FAMILIES, *WRAPPERS, *CONSTRAINTS])


@pytest.mark.parametrize("name", sorted([*FAMILIES, *WRAPPERS, *CONSTRAINTS]))
def test_a_family_is_written_as_it_is_and_has_an_example(name: str) -> None:
    section = _sections("families")[name]
    family = FAMILIES.get(name)
    for number in range(len(family.forms) if family else 0):
        assert family and f"`{show_form(family, number)}`" in section
    models = [text for mark, text in _BLOCK.findall(section) if mark == "ppl"]
    assert any(re.search(rf"\b{name}\(", model) for model in models)


def _anchors(text: str) -> set[str]:
    """The headings of a page, as a link writes them."""
    return {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def test_links_lead_somewhere() -> None:
    pages = {DOCS / f"{name}.md": text for name, text in PAGES.items()}
    others = [ROOT / "README.md", ROOT / "models" / "deep" / "README.md", *(DOCS / "examples").glob("*.md")]
    pages |= {path: path.read_text(encoding="utf-8") for path in others}
    for path, text in pages.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            name, _, anchor = target.partition("#")
            page = (path.parent / name).resolve() if name else path
            assert page.exists() and (not anchor or anchor in _anchors(pages[page])), f"{path}: {target}"


# -- errors ------------------------------------------------------------------------------------------------------------

_ENTRY = re.compile(r"^\*\*([a-z0-9-]+)\*\* (.+)\n- (.+)\n- (.+)\n(?=\n|\Z)", re.MULTILINE)


def _kinds() -> dict[str, str]:
    """Every kind of mistake, and all texts in the functions that make it, one after another."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "ppl").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            texts = [x.value for x in ast.walk(function) if isinstance(x, ast.Constant) and isinstance(x.value, str)]
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "Mistake":
                    assert isinstance(call.args[0], ast.Constant), f"{path}: a kind is a text"
                    found[call.args[0].value] = "\n".join([found.get(call.args[0].value, ""), *texts])
    tree = ast.parse(Path(faults.__file__).read_text(encoding="utf-8"))
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"):
        texts = [x.value for x in ast.walk(function) if isinstance(x, ast.Constant) and isinstance(x.value, str)]
        found[function.name.replace("_", "-")] = "\n".join(texts)
    return found


def test_every_error_has_its_two_lines() -> None:
    entries = _ENTRY.findall(PAGES["errors"])
    kinds = [kind for kind, _, _, _ in entries]
    assert len(kinds) == len(re.findall(r"^\*\*", PAGES["errors"], re.MULTILINE)), "an entry is a head and two lines"
    assert set(kinds) == _kinds().keys()
    for section in re.split(r"^## ", PAGES["errors"], flags=re.MULTILINE):
        own = re.findall(r"^\*\*([a-z0-9-]+)\*\*", section, re.MULTILINE)
        assert own == sorted(set(own))


def test_errors_are_found_by_the_words_of_their_messages() -> None:
    """What stands beside a kind is what the message says, with dots for what differs."""
    texts = _kinds()
    for kind, message, _, _ in _ENTRY.findall(PAGES["errors"]):
        for words in message.replace("`...`", "...").split("..."):
            assert words.strip(" `") in texts[kind], f"{kind}: {words}"
