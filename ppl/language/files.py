"""a model file -> its source: UTF-8, with line ends of one sort."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from ppl.language.errors import FileError
from ppl.language.source import Source


def read_source(path: str | PathLike[str]) -> Source:
    """The source in a file. Raises `FileError` if it cannot be read."""
    name = fspath(path)
    try:
        return from_bytes(Path(name).read_bytes(), name)
    except FileNotFoundError:
        raise FileError(f"{name}: there is no such file") from None
    except OSError as error:
        raise FileError(f"{name}: cannot be read: {error.strerror or error}") from None


def from_bytes(content: bytes, name: str) -> Source:
    """Raises `FileError` for what is not UTF-8."""
    try:
        return from_string(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise FileError(f"{name}: byte {error.start + 1} is not UTF-8; save the model as UTF-8") from None


def from_string(text: str, name: str) -> Source:
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))
