"""pieces of a fit under way <-> a checkpoint file, from which the fit goes on to the same bits.

An npz archive: each array under the number of its piece and its name, and `about`, a text in JSON with the format, what
the fit is of, and the words of all pieces. Written to the side, so that what stands there is always whole.
"""

from __future__ import annotations

import json
import os
import time
import tokenize
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppl.infer.watch import Piece
from ppl.language.errors import FileError, UsageError
from ppl.report.atomic import replacing
from ppl.report.given import Given
from ppl.version import VERSION

FORMAT = 1
_SECONDS = 5.0  # between writes that can wait
_SHARE = 20  # times as long as the last write took: such writes cost a few percent
_SETTINGS = ("seed", "draws", "guide")
_DAMAGES = (
    OSError, EOFError, KeyError, IndexError, TypeError, ValueError, zipfile.BadZipFile,
    SyntaxError, tokenize.TokenError,  # of the header of an array
)  # fmt: skip


def identity(text: str, given: Given, seed: int, draws: int, guide: str, further: str = "") -> dict[str, Any]:
    """All that decides the bits of a fit, but the machine; `further` are its other settings in words."""
    data = dict(given.fingerprints)
    asked = {"seed": seed, "draws": draws, "guide": guide, "further": further}
    return {"version": VERSION, "text": text, "data": data, **asked}


class Checkpoint:
    """The store of a fit: pieces by key, and the file that holds them."""

    def __init__(self, path: str | os.PathLike[str], of: Mapping[str, Any], pieces: dict[str, Piece]):
        self.path, self.of, self.pieces = os.fspath(path), of, pieces
        self.began = self.written = time.perf_counter()

    def get(self, key: str) -> Piece | None:
        return self.pieces.get(key)

    def put(self, key: str, make: Callable[[], Piece], eager: bool) -> None:
        """Without `eager` nothing is done soon after the last write. Raises `FileError`."""
        wait = max(_SECONDS, _SHARE * (self.written - self.began))
        if eager or time.perf_counter() - self.written >= wait:
            self.pieces[key] = make()
            self._write()

    def drop(self, key: str) -> None:
        """With the next write."""
        self.pieces.pop(key, None)

    def damaged(self) -> FileError:
        return FileError(f"{self.path}: not a checkpoint that ppl wrote, or a damaged one; fit without --resume")

    def _write(self) -> None:
        self.began = time.perf_counter()
        words = {key: piece.words for key, piece in self.pieces.items()}
        about = json.dumps({"ppl_checkpoint": FORMAT, "of": self.of, "pieces": words})
        arrays: dict[str, Any] = {
            f"{number}/{name}": array
            for number, piece in enumerate(self.pieces.values())
            for name, array in piece.arrays.items()
        }
        with replacing(self.path) as side, side.open("wb") as file:
            np.savez(file, about=np.frombuffer(about.encode("utf-8", "surrogatepass"), dtype=np.uint8), **arrays)
        self.written = time.perf_counter()


def store(
    path: str | os.PathLike[str] | None, resumed: str | os.PathLike[str] | None, of: Mapping[str, Any]
) -> Checkpoint:
    """The checkpoint to write to `path`, and to go on from one or the other, of which one may be None: without one to
    go on from it is empty, and takes the place of what stands there with its first piece. Raises as `resume`.
    """
    pieces = {} if resumed is None else resume(resumed, of).pieces
    target = resumed if path is None else path
    assert target is not None
    return Checkpoint(target, of, pieces)


def resume(path: str | os.PathLike[str], of: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of a fit that goes on. Raises `FileError` for a file that is missing, damaged or foreign, and
    `UsageError` for that of another fit.
    """
    name = os.fspath(path)
    if not Path(name).exists():
        raise FileError(f"{name}: there is no such checkpoint")
    if Path(name).is_dir():
        raise FileError(f"{name} is a folder; name the file in it")
    found = Checkpoint(name, of, {})
    try:
        about, found.pieces = _read(name)
        kept = about["of"]
        same = {key: kept[key] for key in of}
    except _DAMAGES:
        raise found.damaged() from None
    if about["ppl_checkpoint"] != FORMAT or same["version"] != of["version"]:
        raise FileError(f"{name}: written by ppl {same['version']}, and this is ppl {of['version']}; fit anew")
    if same["text"] != of["text"]:
        raise UsageError(f"{name}: the checkpoint of another model, or of another text of this one")
    if same["data"] != of["data"]:
        changed = [
            column for column in {**same["data"], **of["data"]} if same["data"].get(column) != of["data"].get(column)
        ]
        raise UsageError(f"{name}: the checkpoint of a fit to other data ({', '.join(changed[:5])})")
    for setting in _SETTINGS:
        if same[setting] != of[setting]:
            raise UsageError(
                f"{name}: a fit with --{setting} {same[setting]}, not {of[setting]}; resume it with the same"
            )
    if same["further"] != of["further"]:
        told = same["further"] or "none"
        raise UsageError(f"{name}: a fit with other settings ({told}); resume it with the same")
    return found


def _read(name: str) -> tuple[Any, dict[str, Piece]]:
    with Path(name).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        about = json.loads(bytes(file["about"]).decode("utf-8", "surrogatepass"))
        arrays: list[dict[str, np.ndarray]] = [{} for _ in about["pieces"]]
        for key in file.files:
            number, slash, own = key.partition("/")
            if slash:
                arrays[int(number)][own] = file[key]
    return about, {key: Piece(words, own) for (key, words), own in zip(about["pieces"].items(), arrays, strict=True)}
