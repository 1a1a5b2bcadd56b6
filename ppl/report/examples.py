"""a name -> the files of a bundled example: inside the package where it was installed, beside it in a checkout."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ppl.language.errors import FileError, UsageError, nearest
from ppl.values import dataclass

_DATA = (".csv", ".tsv", ".json", ".npz", ".parquet")
_REFERENCE = ".reference.json"


@dataclass(frozen=True, slots=True)
class Example:
    """A model with its data; `about` is the first sentence of its comment."""

    name: str
    model: Path
    data: tuple[Path, ...]
    about: str


def _folder() -> Path:
    package = Path(__file__).parent.parent
    return next(folder for folder in (package / "models", package.parent / "models") if folder.is_dir())


@cache
def examples() -> dict[str, Example]:
    """All bundled examples by name, sorted."""
    return {example.name: example for example in _found(_folder())}


def _found(folder: Path) -> Iterator[Example]:
    for model in sorted(folder.glob("*.ppl")):
        files = sorted(folder.glob(f"{model.stem}.*"))
        data = tuple(f for f in files if f.suffix in _DATA and not f.name.endswith(_REFERENCE))
        yield Example(model.stem, model, data, _about(model.read_text(encoding="utf-8")))


def _about(text: str) -> str:
    """The first sentence of the comment at the head of a model."""
    head = []
    for line in text.splitlines():
        if not line.startswith("#") or not line.strip("# "):
            break
        head.append(line.lstrip("# "))
    words = " ".join(head)
    ends = [end for mark in (". ", "? ", ".", "?") if (end := words.find(mark)) > 0]
    return words[: min(ends) + 1] if ends else words


def example(name: str) -> Example:
    """Raises `UsageError` for a name that none has."""
    known = examples()
    if name not in known:
        likely = nearest(name, known)
        raise UsageError(
            f"there is no example `{name}`; "
            + (f"did you mean `{likely}`?" if likely else f"`ppl new` lists {len(known)}")
        )
    return known[name]


def copy(found: Example, folder: Path) -> list[Path]:
    """Copy an example into a folder, which is made where it is missing; the files written. Raises `FileError`, and
    writes nothing, where one of them is there already.
    """
    targets = [(source, folder / source.name) for source in (found.model, *found.data)]
    there = [str(target) for _, target in targets if target.exists() or target.is_symlink()]
    if there:
        raise FileError(f"{' and '.join(there)} {'are' if len(there) > 1 else 'is'} there already; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in targets:
            shutil.copyfile(source, target)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return [target for _, target in targets]
