"""Golden numbers of the augmentation tests, from torchvision and PyTorch.

    python tests/golden/augment.py

Writes beside itself `augment_boxes.json` (moments of RandomResizedCrop's boxes), and `augment_views.json` with
`augment_views.f32` (finished views of a synthetic image, little-endian floats, CHW, not normalised).
"""
import json, math, pathlib

import torch
import torch.nn.functional as F
from torchvision.transforms import RandomResizedCrop

HERE = pathlib.Path(__file__).parent
torch.manual_seed(20250206)


def boxes(width, height, min_scale, draws=400_000):
    image = torch.empty(3, height, width)
    r = torch.tensor([RandomResizedCrop.get_params(image, (min_scale, 1.0), (3 / 4, 4 / 3)) for _ in range(draws)]).double()
    y, x, h, w = r.T
    a = (w / h).log()
    values = [x, y, w, h, x * x, y * y, w * w, h * h, w * h, a, a * a, x * w, y * h]
    moments = [(v.mean().item(), v.std().item()) for v in values]
    return dict(width=width, height=height, min_scale=min_scale, draws=draws, moments=moments)


def synthetic(side):
    """Noise over a gradient, from a linear congruential generator that any language can repeat."""
    state, out = 12345, []
    for _ in range(side * side * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    return torch.tensor(out, dtype=torch.uint8).view(side, side, 3).permute(2, 0, 1)


def shuffled(x, columns, rows):
    """RDED's ShufflePatches with the orders given instead of drawn."""
    x = torch.cat([x.chunk(len(columns), 2)[k] for k in columns], 2)
    return torch.cat([x.chunk(len(rows), 1)[k] for k in rows], 1)


cases = [boxes(224, 224, 0.08), boxes(33, 32, 0.25), boxes(32, 64, 0.25), boxes(12, 12, 0.01), boxes(21, 22, 1 / 3)]
(HERE / "augment_boxes.json").write_text(json.dumps(cases, indent=1) + "\n")

# Stored side, crop (x, y, width, height), side of the view, flip, order of columns and rows.
views = [
    (37, (0, 0, 37, 37), 37, False, None),
    (37, (0, 0, 37, 37), 37, True, None),
    (37, (3, 5, 17, 23), 37, False, None),
    (37, (20, 1, 1, 30), 37, True, None),
    (37, (36, 36, 1, 1), 8, False, None),
    (37, (2, 4, 35, 31), 16, False, None),
    (37, (0, 0, 37, 37), 5, True, None),
    (37, (1, 2, 33, 9), 13, True, None),
    (37, (4, 0, 25, 37), 1, False, None),
    (64, (10, 20, 40, 33), 48, True, ([1, 0], [0, 1])),
    (64, (10, 20, 40, 33), 24, False, ([1, 0], [1, 0])),
    (48, (7, 9, 38, 30), 31, False, ([2, 0, 1], [1, 2, 0])),
    (224, (11, 7, 190, 203), 30, True, None),
    (224, (101, 120, 30, 25), 40, False, None),
]
listed, floats = [], []
for side, (x, y, w, h), output, flip, order in views:
    image = synthetic(side).float()
    if order:
        image = shuffled(image, *order)
    v = F.interpolate(
        image[None, :, y : y + h, x : x + w], size=(output, output), mode="bilinear", antialias=True, align_corners=False
    )[0]
    floats.append((v.flip(-1) if flip else v).contiguous().flatten())
    listed.append(dict(side=side, crop=dict(x=x, y=y, width=w, height=h), output=output, flip=flip, order=order))
(HERE / "augment_views.json").write_text(json.dumps(listed) + "\n")
(HERE / "augment_views.f32").write_bytes(torch.cat(floats).numpy().astype("<f4").tobytes())
print(sum(map(len, floats)), "floats")
