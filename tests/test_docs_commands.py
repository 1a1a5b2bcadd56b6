"""The pages in docs/ with a console: every command and line of Python in them is run, and prints what is shown.

In a block marked `console` a line that begins with `$ ` is a command, and what stands below it is what it prints; one
that ends in `# exits with 4` does so. A block marked `python` is run too. Any other block behind a line that ends in
"`NAME`:" is first written to that file. Each page has a folder of its own, in which its blocks run in order. Numbers
may differ a little, and seconds at will. `pytest --update-golden` writes what was printed into the pages.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppl.cli import main
from ppl.cli.group import commands
from tests.conftest import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w.-]+)`:\s*$")
_EXITS = re.compile(r"\s+# exits with (\d+)$")
_HEAD = re.compile(r"\s*\|\s*head -(\d+)$")
_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?%?")


def _runs(path: Path) -> bool:
    """Not those with blocks marked `sh`, which have a test of their own in tests/use."""
    marks = {mark.strip() for mark, _ in _BLOCK.findall(path.read_text(encoding="utf-8"))}
    return "console" in marks or ("python" in marks and "sh" not in marks)


PAGES = [path for path in sorted(DOCS.glob("*.md")) if _runs(path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path, in_folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "docs"}
    made, end = [], 0
    for block in _BLOCK.finditer(text):
        mark, body = block[1].strip(), block[2]
        named = _FILE.search(text[: block.start()])
        if mark == "console":
            shown = list(_commands(body))
            body = "".join(f"$ {line}\n{_printed(line, monkeypatch)}" for line, _ in shown)
            if not request.config.getoption("--update-golden"):
                for (line, expected), (_, found) in zip(shown, _commands(body), strict=True):
                    _compare(f"{page.name}: {line}", expected, found)
        elif mark == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(body, str(page), "exec"), names)
        elif named:
            Path(named[1]).write_text(body, encoding="utf-8")
        made += [text[end : block.start()], f"```{block[1]}\n{body}```"]
        end = block.end()
    if request.config.getoption("--update-golden"):
        page.write_text("".join([*made, text[end:]]), encoding="utf-8")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command with what is printed below it."""
    first, *parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    assert not first.strip(), "a console begins with a command"
    for part in parts:
        line, _, shown = part.partition("\n")
        yield line, shown


def _printed(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints, both streams as they come; its exit code is the one that the page gives."""
    exits, head = _EXITS.search(line), _HEAD.search(_EXITS.sub("", line))
    bare = _HEAD.sub("", _EXITS.sub("", line))
    if bare.startswith("ppl "):
        monkeypatch.setattr(sys, "argv", shlex.split(bare))
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as exit_:
            main()
        code, found = int(exit_.value.code or 0), out.getvalue()
    else:
        assert bare.split()[0] in ("cat", "ls", "head", "rm", "cd"), f"a page runs ppl, and looks at files: {bare}"
        done = subprocess.run(["bash", "-c", bare], capture_output=True, text=True, check=False)
        code, found = done.returncode, done.stdout + done.stderr
    assert code == int(exits[1] if exits else 0), f"{line} exits with {code}: {found}"
    if head:
        found = "".join(found.splitlines(keepends=True)[: int(head[1])])
    return found


def _compare(where: str, expected: str, found: str) -> None:
    lines, others = expected.rstrip().splitlines(), found.rstrip().splitlines()
    assert len(lines) == len(others), f"{where}\nprints\n{found}"
    for line, other in zip(lines, others, strict=True):
        words, others_words = line.split(), other.split()
        alike = len(words) == len(others_words) and all(
            _alike(words[i], others_words[i]) or words[i + 1 : i + 2] in (["s"], ["s,"], ["s;"])
            for i in range(len(words))
        )
        assert alike, f"{where}\nshows   {line}\nprinted {other}"


def _alike(word: str, other: str) -> bool:
    """The same, its numbers but nearly."""
    if _NUMBER.sub("#", word) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(word), _NUMBER.findall(other), strict=True)
    return all(abs(_value(a) - _value(b)) <= 0.05 + 0.15 * abs(_value(a)) for a, b in pairs)


def _value(number: str) -> float:
    return float(number.replace(",", "").rstrip("%"))


def test_every_command_has_a_page_and_is_shown() -> None:
    shown = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    run = {line.split()[1] for block in _BLOCK.findall(shown) for line in _lines_of(block) if line[:4] == "ppl "}
    assert commands.commands.keys() - run == set()


def _lines_of(block: tuple[str, str]) -> list[str]:
    """The commands of a block: of those marked `sh` every line is one, and run by tests/use/test_pages.py."""
    mark, body = block[0].strip(), block[1]
    return [line for line, _ in _commands(body)] if mark == "console" else body.splitlines() if mark == "sh" else []
