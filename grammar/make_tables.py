"""Writes the parser's tables of ppl.lark beside it: `python grammar/make_tables.py` after each change of it."""

from __future__ import annotations

from pathlib import Path

from ppl.language import tables
from ppl.language.parser import GRAMMAR, TABLES

folder = Path(__file__).parent
text = (folder / GRAMMAR).read_text(encoding="utf-8")
(folder / TABLES).write_text(tables.as_text(tables.work_out(text), text), encoding="utf-8")
