"""contents -> one HTML file that reaches for nothing outside itself."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from ppl.report.letters import showable
from ppl.report.page.contents import Contents


def as_html(contents: Contents) -> str:
    """Every text is escaped, and no script but the page's own may run: a browser is told its fingerprint."""
    from jinja2 import Environment, StrictUndefined

    here = files("ppl.report.page")
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    template = environment.from_string(here.joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        it=contents, record=contents.record, script=_as_is(script), mark=_fingerprint(script),
        style=_as_is(here.joinpath("page.css").read_text(encoding="utf-8")),
    )  # fmt: skip


def _as_is(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _shown(value: Any) -> Any:
    """A plain text without what cannot be shown; what is markup already stays."""
    return showable(value, keep="\n\t") if type(value) is str else value


def _fingerprint(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
