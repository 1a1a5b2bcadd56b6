"""Distributions: a family a row, in small files; `table.py` lists them all."""
