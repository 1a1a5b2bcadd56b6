"""`ppl report`: one file, whole, escaped, and what it says."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ppl.report import fitfile
from ppl.report.page.contents import PLAIN_WORDS
from tests.conftest import MODELS
from tests.look.conftest import HOSTILE, NAMES, Command, without

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """The tags, attributes and texts of a page; a tag that is never closed fails."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def written(fit: Path, command: Command, folder: Path) -> tuple[str, Page]:
    done = command("report", fit, "-o", "r.html")
    assert (done.code, done.out, done.err) == (0, "", "written to r.html\n")
    text = (folder / "r.html").read_text(encoding="utf-8")
    return text, Page(text)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "varying_intercepts"])
def test_every_model(name: str, fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    text, page = written(fits[name], command, in_folder)
    record = fitfile.read(fits[name])
    assert f"Verdict: {record.verdict}" in page.text
    assert PLAIN_WORDS[record.verdict] in page.text
    assert record.model_text in "".join(page.texts)
    for quantity in record.shown():
        assert all(label in page.texts for label in quantity.labels())
    for observed in record.observed:
        assert observed in page.texts
    for rule in record.rules:
        assert rule.name in page.texts
    assert f"--seed {record.seed} --draws 300" in page.text
    assert record.version in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    lacking = {"beta_binomial": 1, "eight_schools": 1, "normal_mean": 2}.get(name, 0)
    assert len(pictures) == 6 - lacking
    for picture in pictures:
        kind, _, content = str(picture["src"]).partition("base64,")
        assert kind == "data:image/svg+xml;"
        assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
        assert picture["alt"]
    assert len(text) < 3_000_000


def test_it_reaches_for_nothing_outside(fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    text, page = written(fits["poisson"], command, in_folder)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for key in ("src", "href"):
            assert str(attributes.get(key) or "#").startswith(("#", "data:image/svg+xml;base64,")), attributes
    for picture in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text):
        drawn = base64.b64decode(picture).decode()
        assert not re.search(r"(?:href|src)=\"(?!#|data:)", drawn)
        assert "<script" not in drawn
    assert "@import" not in text
    assert "url(" not in text


def test_only_its_own_script_may_run(fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    text, page = written(fits["normal_mean"], command, in_folder)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert f"script-src 'sha256-{mark}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_names_are_texts(hostile: Path, command: Command, in_folder: Path) -> None:
    text, page = written(hostile, command, in_folder)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<img src=x" not in text
    assert "<b>" not in text
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "<img src=x onerror=alert(1)>.ppl" in page.texts
    assert HOSTILE in "".join(page.texts)
    assert any("<script>alert(0)</script> is a very long label" in found for found in page.texts)


def test_the_same_fit_gives_the_same_bytes(fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    assert written(fits["normal_mean"], command, in_folder)[0] == written(fits["normal_mean"], command, in_folder)[0]


def test_without_matplotlib(
    fits: dict[str, Path], command: Command, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is written all the same, with the graph, and says what to install for the rest."""
    without(monkeypatch, "matplotlib")
    _, page = written(fits["poisson"], command, in_folder)
    assert [tag for tag, _ in page.tags].count("img") == 1
    assert page.text.count("pip install 'ppl[plot]'") == 5
    assert "share of zeros" in page.texts, "the table of predictive checks needs no matplotlib"


def test_default_name_and_refusals(fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    assert command("report", fits["normal_mean"]).err == "written to normal_mean.html\n"
    wrong = command("report", fits["normal_mean"], "-o", "r.pdf")
    assert (wrong.code, wrong.err) == (2, "r.pdf: a report is an .html file\n")
    assert command("report", fits["normal_mean"], "-o", "none/r.html").code == 6
    assert command("report", "none.nc").code == 6
    assert sorted(path.name for path in in_folder.iterdir()) == ["normal_mean.html"]


def test_data_that_do_not_stand_in_the_fit(fits: dict[str, Path], command: Command, in_folder: Path) -> None:
    """The report says that they lack; `--data` gives them, and others than those fitted are refused."""
    record = fitfile.read(fits["poisson"])
    fitfile.write(replace(record, given=replace(record.given, data=None)), "long.nc")
    _, page = written(Path("long.nc"), command, in_folder)
    assert "the data are too long to stand in the fit: give them again, --data FILE" in page.text
    assert "share of zeros" not in page.texts
    data = MODELS / "poisson.csv"
    assert command("report", "long.nc", "--data", data).code == 0
    assert "share of zeros" in Page((in_folder / "long.html").read_text(encoding="utf-8")).texts
    (in_folder / "other.csv").write_text(data.read_text(encoding="utf-8").replace("16.5", "17.5"), encoding="utf-8")
    refused = command("plot", "long.nc", "--kind", "checks", "--data", "other.csv")
    assert refused.code == 5
    assert "not the data of this fit: they differ in `traffic`" in refused.err
    assert command("plot", "long.nc", "--kind", "graph", "-o", "g.svg").code == 0
