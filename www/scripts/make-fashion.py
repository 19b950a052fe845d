"""Packs the images of the page's set into one contact sheet, and checks that every pixel can be had back.

    python scripts/make-fashion.py FOLDER

FOLDER holds train/<class>/<name>.png and val/<class>/<name>.png, all 8-bit gray and 28 x 28. Written
into public/sets:

    fashion-mnist.png  a sheet of 28 x 28 cells, 100 to a row, filled left to right, then downwards
    fashion-mnist.txt  one line a folder, in byte order: the folder, then its file names without ".png";
                       the names in reading order are the cells in reading order

One sheet is smaller than the 7,000 files it stands for (2.7 MB against 3.6 MB, or 3.4 MB as .tar.gz),
because neighbours share one deflate window, and any PNG reader opens it. Needs Pillow and NumPy.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CELL, COLUMNS = 28, 100


def main(folder: Path) -> None:
    here = Path(__file__).parent.parent / "public" / "sets"
    folders = sorted(
        (path for split in ("train", "val") for path in (folder / split).iterdir()),
        key=lambda path: path.relative_to(folder).as_posix().encode(),
    )
    lines, cells = [], []
    for directory in folders:
        files = sorted(directory.glob("*.png"), key=lambda path: path.name.encode())
        lines.append(" ".join([directory.relative_to(folder).as_posix(), *(file.stem for file in files)]))
        for file in files:
            image = Image.open(file)
            if image.mode != "L" or image.size != (CELL, CELL):
                sys.exit(f"{file}: expected 8-bit gray of {CELL} x {CELL}, found {image.mode} {image.size}")
            cells.append(np.asarray(image))

    rows = -(-len(cells) // COLUMNS)
    sheet = np.zeros((rows * CELL, COLUMNS * CELL), np.uint8)
    for index, cell in enumerate(cells):
        top, left = index // COLUMNS * CELL, index % COLUMNS * CELL
        sheet[top : top + CELL, left : left + CELL] = cell

    Image.fromarray(sheet).save(here / "fashion-mnist.png", optimize=True)
    (here / "fashion-mnist.txt").write_text("\n".join(lines) + "\n", encoding="ascii")

    back = np.asarray(Image.open(here / "fashion-mnist.png"))
    if not np.array_equal(back, sheet):
        sys.exit("fashion-mnist.png does not hold the pixels that were written")
    print(f"{len(cells)} images of {len(folders)} folders")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
