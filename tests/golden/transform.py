"""Golden numbers of src/combine/tilepress_transform.py, as it draws and cuts in torchvision.

    python tests/golden/transform.py

Writes beside itself `transform_boxes.json` (how often each tile is drawn, and moments of the crops), and
`transform_views.json` with `transform_views.u8` (crops that it drew of a synthetic composite, and the views it made of
them: bytes, CHW). Nothing of the transform is repeated here: it runs as it is, and what its own `tile` and torchvision's
`get_params` return is noted.
"""
import json, pathlib, sys

import torch

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "src" / "combine"))
from tilepress_transform import PatchExtract  # noqa: E402

torch.manual_seed(20251123)
torch.set_num_threads(1)


def noted(grid, size, r):
    """The transform, and a list to which each call adds its tile and its crop, both (x, y, w, h)."""
    cut, drawn = PatchExtract(grid, size, r=r), []
    tile, params = cut.tile, cut.crop.get_params

    def note_tile(height, width, index):
        y, x, h, w = tile(height, width, index)
        drawn.append([index, (x, y, w, h)])
        return y, x, h, w

    def note_params(*arguments):
        y, x, h, w = params(*arguments)
        left, top = drawn[-1][1][:2]
        drawn[-1].append((left + x, top + y, w, h))
        return y, x, h, w

    cut.tile, cut.crop.get_params = note_tile, note_params
    return cut, drawn


def boxes(grid, side, r, draws=100_000):
    cut, drawn = noted(grid, 1, r)
    image = torch.empty(1, side, side, dtype=torch.uint8)
    for _ in range(draws):
        cut(image)
    counts = torch.bincount(torch.tensor([index for index, _, _ in drawn]), minlength=grid[0] * grid[1])
    tile = torch.tensor([tile for _, tile, _ in drawn]).double()
    x, y, w, h = torch.tensor([crop for _, _, crop in drawn]).double().T
    share, aspect = w * h / (tile[:, 2] * tile[:, 3]), (w / h).log()
    values = [share, share * share, aspect, aspect * aspect, x, y, w, h, x * x, y * y, x * w, y * h]
    moments = [(v.mean().item(), v.std().item()) for v in values]
    return dict(grid=f"{grid[0]}x{grid[1]}", side=side, min_scale=r, draws=draws, counts=counts.tolist(), moments=moments)


def synthetic(side):
    """Noise from a linear congruential generator that any language can repeat."""
    state, out = 12345, []
    for _ in range(side * side * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    return torch.tensor(out, dtype=torch.uint8).view(side, side, 3).permute(2, 0, 1).contiguous()


cases = [boxes((2, 2), 64, 0.25), boxes((2, 2), 65, 0.08), boxes((3, 3), 224, 0.5), boxes((1, 2), 64, 0.25), boxes((1, 1), 32, 0.25)]
(HERE / "transform_boxes.json").write_text("[" + ",\n".join(map(json.dumps, cases)) + "]\n")

listed, views = [], []
for grid, side, size, r in [((2, 2), 64, 32, 0.25), ((2, 2), 65, 48, 0.08), ((3, 3), 64, 16, 0.25), ((1, 2), 48, 24, 0.25), ((1, 1), 40, 21, 0.08)]:
    cut, drawn = noted(grid, size, r)
    image = synthetic(side)
    for _ in range(4):
        view = cut(image)
        assert view.dtype == torch.uint8 and view.shape == (3, size, size)
        views.append(view.contiguous().flatten())
    for index, _, (x, y, w, h) in drawn:
        listed.append(dict(grid=f"{grid[0]}x{grid[1]}", side=side, tile=index, crop=dict(x=x, y=y, width=w, height=h), output=size))
(HERE / "transform_views.json").write_text("[" + ",\n".join(map(json.dumps, listed)) + "]\n")
(HERE / "transform_views.u8").write_bytes(torch.cat(views).numpy().tobytes())
print(len(listed), "views,", sum(map(len, views)), "bytes")
