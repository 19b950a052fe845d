"""Checks src/combine/tilepress_transform.py in torchvision, and keeps the boxes it cuts by as golden numbers.

    python tests/golden/transform_check.py            # check; fails where compose_tiles.json is outdated
    python tests/golden/transform_check.py --write    # write compose_tiles.json
"""
import json
import math
import pathlib
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from torchvision import datasets, transforms
from torchvision.transforms import functional as F

here = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(here.parent.parent / "src" / "combine"))
from tilepress_transform import PatchExtract  # noqa: E402

GRIDS = [(1, 1), (2, 2), (3, 3), (1, 2), (2, 3), (8, 8)]
SIDES = [8, 28, 33, 64, 65, 224, 227]


def boxes():
    cases = []
    for grid in GRIDS:
        for side in SIDES:
            cut = PatchExtract(grid, 8)
            tiles = [cut.tile(side, side, k) for k in range(grid[0] * grid[1])]
            cases.append(dict(grid=list(grid), side=side, tiles=[[x, y, w, h] for y, x, h, w in tiles]))
    return "[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]\n"


def composite(grid, height, width):
    """Every tile in one colour of its own: a crop that left its tile would show two."""
    pixels = np.zeros((height, width, 3), np.uint8)
    cut = PatchExtract(grid, 8)
    for k in range(grid[0] * grid[1]):
        y, x, h, w = cut.tile(height, width, k)
        assert (pixels[y:y + h, x:x + w] == 0).all(), "tiles overlap"
        pixels[y:y + h, x:x + w] = (k + 1, 255 - k, 7 * (k + 1) % 256)
    assert (pixels[..., 0] > 0).all(), "tiles leave a gap"
    return pixels


def a_crop_never_leaves_its_tile_and_tiles_are_uniform():
    for grid, (height, width), size in [((2, 2), (65, 65), 64), ((3, 3), (64, 64), 64), ((1, 2), (33, 33), 20), ((2, 3), (40, 47), 33), ((1, 1), (28, 28), 28)]:
        pixels = composite(grid, height, width)
        inputs = [Image.fromarray(pixels), torch.from_numpy(pixels).permute(2, 0, 1)]
        for image in inputs:
            torch.manual_seed(0)
            cut, n, tiles = PatchExtract(grid, size, r=0.05), 2000, grid[0] * grid[1]
            counts = np.zeros(tiles, int)
            for _ in range(n):
                view = cut(image)
                if isinstance(view, Image.Image):
                    view = F.pil_to_tensor(view)
                assert view.shape == (3, size, size) and view.dtype == torch.uint8
                colours = view.flatten(1)
                assert (colours == colours[:, :1]).all(), "a crop shows two tiles"
                counts[colours[0, 0].item() - 1] += 1
            sd = math.sqrt(n * (1 / tiles) * (1 - 1 / tiles))
            assert (abs(counts - n / tiles) <= 4.5 * sd + 1e-9).all(), counts


def a_crop_is_random_resized_crop_of_the_tile():
    """Same draws, same pixels as torchvision's own transform on the tile cut out by hand."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (65, 65, 3), np.uint8))
    for grid in [(2, 2), (1, 2)]:
        cut = PatchExtract(grid, 48, r=0.3)
        plain = transforms.RandomResizedCrop(48, scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3), antialias=True)
        for seed in range(50):
            torch.manual_seed(seed)
            got = np.asarray(cut(image))
            torch.manual_seed(seed)
            k = torch.randint(grid[0] * grid[1], (1,)).item()
            y, x, h, w = cut.tile(65, 65, k)
            assert (got == np.asarray(plain(image.crop((x, y, x + w, y + h))))).all()


def scale_and_ratio_are_those_of_the_tile():
    """A ramp tells which part of the tile was cut: its area is at least r of the tile's, up to rounding."""
    side, r = 200, 0.5
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    ramp = torch.from_numpy(np.stack([x, y, x]))
    cut, areas = PatchExtract((2, 2), 100, r=r), []
    torch.manual_seed(1)
    for _ in range(500):
        view = cut(ramp)
        width = (view[0, 50, 75] - view[0, 50, 25]).item() * 2
        height = (view[1, 75, 50] - view[1, 25, 50]).item() * 2
        areas.append(width * height / 100 ** 2)
        assert 3 / 4 - 0.03 <= width / height <= 4 / 3 + 0.03, (width, height)
    assert min(areas) > r - 0.02 and max(areas) <= 1.01, (min(areas), max(areas))
    assert min(areas) < r + 0.1 and max(areas) > 0.9, (min(areas), max(areas))


def a_seed_repeats_the_crop():
    image = Image.fromarray(composite((2, 2), 64, 64))
    cut = PatchExtract((2, 2), 64)
    def draw(seed):
        torch.manual_seed(seed)
        return [np.asarray(cut(image)).tobytes() for _ in range(20)]
    assert draw(3) == draw(3) and draw(3) != draw(4)


def a_written_set_loads_in_torchvision():
    """`data` beside manifest.json and the transform, as tilepress leaves them; imported from where it lies."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        for name in ["ant", "bee"]:
            (out / "data" / name).mkdir(parents=True)
            for k in range(3):
                Image.fromarray(composite((1, 2), 33, 33)).convert("L" if k == 0 else "RGB").save(out / "data" / name / f"{k:04}.png")
        (out / "data" / "metadata.jsonl").write_text("{}\n")
        (out / "manifest.json").write_text(json.dumps(dict(grid="1x2", side=33)))
        cut = PatchExtract.from_manifest(out / "manifest.json")
        assert (cut.grid, cut.size) == ((1, 2), 33)
        assert PatchExtract.from_manifest(out / "manifest.json", size=20, r=0.5).crop.scale == (0.5, 1.0)
        assert cut.r == 0.5
        # The run's own smallest crop, unless told otherwise.
        (out / "run.json").write_text(json.dumps(dict(grid="2", side=64, min_scale=0.08)))
        assert PatchExtract.from_manifest(out / "run.json").crop.scale == (0.08, 1.0)
        assert PatchExtract.from_manifest(out / "run.json", r=0.5).crop.scale == (0.5, 1.0)
        (out / "square.json").write_text(json.dumps(dict(grid="3", side=64)))
        assert PatchExtract.from_manifest(out / "square.json").grid == (3, 3)
        steps = [cut, transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        data = datasets.ImageFolder(out / "data", transforms.Compose(steps))
        assert data.classes == ["ant", "bee"] and len(data) == 6
        assert all(image.shape == (3, 33, 33) for image, _ in data)


golden = here / "compose_tiles.json"
if "--write" in sys.argv:
    golden.write_text(boxes())
assert golden.read_text() == boxes(), "compose_tiles.json is outdated: run with --write"
for check in [
    a_crop_never_leaves_its_tile_and_tiles_are_uniform,
    a_crop_is_random_resized_crop_of_the_tile,
    scale_and_ratio_are_those_of_the_tile,
    a_seed_repeats_the_crop,
    a_written_set_loads_in_torchvision,
]:
    check()
    print("ok", check.__name__)
