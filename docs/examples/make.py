"""pages of this folder, tables -> the same pages with what their commands print, and their pictures.

python docs/examples/make.py FOLDER [PAGE...]     # FOLDER holds what models/deep/write_data.py writes; PAGE: wine_pca

On a page the block marked `ppl` is the model of models/deep of that name, and the commands of the block marked `sh` are
run; the verdict of a fit, and what else they print, goes into the block marked `text`. Pictures are PNG of 96 colours.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[1] / "models" / "deep"
_COLOURS = 96
_WIDEST = 760  # pixels


def block(mark: str) -> re.Pattern[str]:
    return re.compile(rf"^```{mark}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed(command: str, folder: Path) -> str:
    """What a command prints, of a fit its verdict alone; a verdict that is a warning is no failure."""
    words = shlex.split(command)
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{command}\n{done.stderr}")
    if words[1] != "fit":
        return done.stdout
    found = done.stdout[done.stdout.index("\nverdict:") + 1 :]
    return re.sub(
        r"^  [\d.e+]+ s, seed 1\n|, [\d.e+]+ s(?=, seed)|, [\d,]+ rows a second", "", found, flags=re.MULTILINE
    )


def smaller(picture: Path, target: Path) -> None:
    with Image.open(picture) as whole:
        image = whole.convert("RGB")
    if image.width > _WIDEST:
        image = image.resize((_WIDEST, round(image.height * _WIDEST / image.width)), Image.Resampling.LANCZOS)
    image.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


def make(page: Path, tables: Path) -> None:
    text, name = page.read_text(encoding="utf-8"), page.stem
    model = (MODELS / f"{name}.ppl").read_text(encoding="utf-8")
    found = block("sh").search(text)
    assert found is not None, f"{page}: no block marked sh"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copy(MODELS / f"{name}.ppl", folder)
        for table in tables.glob("*.csv"):
            (folder / table.name).symlink_to(table.resolve())
        shown = "".join(printed(command, folder) for command in found[1].splitlines())
        for picture in sorted(folder.glob("*.png")):
            smaller(picture, HERE / picture.name)
    for mark, body in (("ppl", model), ("text", shown)):
        text = block(mark).sub(lambda _, mark=mark, body=body: f"```{mark}\n{body}```", text, count=1)
    page.write_text(text, encoding="utf-8")
    print(page, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*")
    asked = parser.parse_args()
    pages = [HERE / f"{name}.md" for name in asked.pages] or sorted(set(HERE.glob("*.md")) - {HERE / "README.md"})
    for page in pages:
        make(page, asked.folder)


if __name__ == "__main__":
    main()
