"""a file to write -> one to the side that takes its place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ppl.language.errors import FileError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The path of an empty file to fill; it replaces `path`, whole or not at all, when the block ends well.

    A link is followed, and a file that stands there passes on its permissions. Raises `FileError`.
    """
    target = Path(path)
    if target.is_dir():
        raise FileError(f"{target} is a folder; name the file in it")
    real = target.resolve() if target.is_symlink() else target
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=real.parent)
        os.close(handle)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror or error}") from None
    side = Path(name)
    try:
        yield side
        if real.exists():
            shutil.copymode(real, side)
        else:
            side.chmod(0o666 & ~_umask())
        os.replace(side, real)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        side.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text as UTF-8, whole or not at all. Raises `FileError`."""
    with replacing(path) as side:
        side.write_text(text, encoding="utf-8", newline="\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
