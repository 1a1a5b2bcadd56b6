"""The commands and the Python on the pages of docs/ about commands: all are run, in order, and all must do."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.conftest import MODELS, ROOT
from tests.use.conftest import run

PAGES = ("fit", "predict", "encode", "evaluate", "ppc", "prior", "simulate", "compare", "draws")
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_commands_do_what_the_page_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = _BLOCK.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    for mark, text in blocks:
        for name in mark.split()[1:]:
            Path(name).write_text(text)
    for line in (line for mark, text in blocks if mark == "sh" for line in text.splitlines()):
        _, *arguments = shlex.split(line)
        for word in arguments:
            if (MODELS / word).is_file():
                shutil.copy(MODELS / word, tmp_path)
        done = run(*arguments)
        assert done.code == 0, f"{line}\n{done.err}"
        if "-o" in arguments:
            assert Path(arguments[arguments.index("-o") + 1]).stat().st_size > 0
        else:
            assert done.out
    for text in (text for mark, text in blocks if mark == "python"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, page, "exec"), {})
        assert "(4000, 1)" in out.getvalue()
