"""Golden numbers of the resizer: Pillow's resize, fit and pad, torchvision's Resize + CenterCrop.

    python resize_golden.py            # writes ../data/resize/golden.bin

RGB bytes of every case, one after the other, in the order of the loops below. Pillow 13.0, torchvision 0.24.
"""
import pathlib

import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, InterpolationMode, Resize


def picture(w, h):
    y, x = np.mgrid[0:h, 0:w]
    # Away from 0 and 255, where the order of the two passes decides what is clipped between them.
    channels = x * x * 3 + y * 7, x * 11 + y * y * 5, np.where((x // 3 + y // 2) % 2 == 0, 120, 2)
    return Image.fromarray((64 + np.stack(channels, -1) % 128).astype(np.uint8))


out = b""
for pil, torch in [(Image.Resampling.BILINEAR, InterpolationMode.BILINEAR), (Image.Resampling.BICUBIC, InterpolationMode.BICUBIC),
                   (Image.Resampling.LANCZOS, InterpolationMode.LANCZOS)]:
    for source, target in [((61, 43), (16, 16)), ((43, 61), (24, 10)), ((9, 7), (20, 31)), ((40, 12), (13, 12))]:
        im = picture(*source)
        out += im.resize(target, pil).tobytes()
        out += ImageOps.fit(im, target, pil).tobytes()
        out += ImageOps.pad(im, target, pil).tobytes()
    for source, short, side in [((61, 43), 16, 14), ((43, 61), 20, 15), ((50, 33), 33, 28), ((33, 50), 40, 40), ((31, 31), 17, 12)]:
        out += CenterCrop(side)(Resize(short, torch)(picture(*source))).tobytes()
folder = pathlib.Path(__file__).parent.parent / "data" / "resize"
folder.mkdir(parents=True, exist_ok=True)
(folder / "golden.bin").write_bytes(out)
print(len(out), "bytes")
