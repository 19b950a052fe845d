"""Golden composites: RDED's `mix_images` (github.com/LINs-lab/RDED, synthesize/utils.py) followed step by
step in PyTorch. Writes compose_mix_images.json beside itself.

    python tests/golden/compose.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F


def picture(number, width, height):
    y, x, c = torch.meshgrid(torch.arange(height), torch.arange(width), torch.arange(3), indexing="ij")
    return ((number * 37 + y * 5 + x * 3 + c * 101 + x * y) % 256).permute(2, 0, 1).float()


def mix_images(images, out_size, factor, n):
    s, remained = out_size // factor, out_size % factor
    mixed = torch.zeros(n, 3, out_size, out_size)
    k = h_loc = 0
    for i in range(factor):
        h_r = s + 1 if i < remained else s
        w_loc = 0
        for j in range(factor):
            w_r = s + 1 if j < remained else s
            part = F.interpolate(images[k * n:(k + 1) * n], size=(h_r, w_r))
            mixed[:, :, h_loc:h_loc + h_r, w_loc:w_loc + w_r] = part
            w_loc, k = w_loc + w_r, k + 1
        h_loc += h_r
    return mixed


cases = []
# Sources are multiples of no tile size, so that a transposed or shifted box changes pixels.
for factor, side, composites, source in [(1, 6, 2, (9, 7)), (2, 8, 3, (11, 6)), (2, 7, 2, (5, 9)), (3, 10, 2, (8, 8)), (3, 11, 1, (13, 4))]:
    images = torch.stack([picture(rank, *source) for rank in range(composites * factor ** 2)])
    pixels = mix_images(images, side, factor, composites).permute(0, 2, 3, 1).to(torch.uint8).flatten().tolist()
    cases.append(dict(factor=factor, side=side, composites=composites, source=source, pixels=pixels))
pathlib.Path(__file__).with_name("compose_mix_images.json").write_text("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]\n")
