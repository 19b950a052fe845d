"""Golden boxes and pixels of views that are cut out of images in their own pixels (`--crop-from image`).

    python tests/golden/crops.py

Independent of the program and of PyTorch: the generator is Philox4x32-10 as Salmon et al. (2011) give it, written again here with
Python's integers and checked against their test vectors; the box is torchvision's rule (`RandomResizedCrop.get_params`), written
again with Python's floats; the pixels are Pillow's (`crop`, `resize` with BILINEAR on floats, channel by channel, and a mirror image
where the coin says so). Images come from NumPy. Writes beside itself `crops.json` (sizes, boxes, flips) and `crops.f32`
(finished views, little-endian floats, HWC, on the scale of bytes).
"""
import json, math, pathlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
MASK = 0xFFFFFFFF
VIEW = 6  # The purpose of a training view.


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        low, high = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(high >> 32) ^ c[1] ^ k[0], high & MASK, (low >> 32) ^ c[3] ^ k[1], low & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([MASK] * 4, [MASK] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


class Stream:
    """Random numbers of (seed, purpose, epoch, index)."""

    def __init__(self, seed, purpose, epoch, index):
        self.key = [seed & MASK, seed >> 32]
        self.counter = [0, epoch, index & MASK, (index >> 32 & 0xFFFF) | purpose << 16]
        self.words = []

    def word(self):
        if not self.words:
            self.words = philox(self.counter, self.key)
            self.counter[0] += 1
        return self.words.pop(0)

    def unit(self):
        low = self.word()
        return ((low | self.word() << 32) >> 11) * 2.0**-53

    def uniform(self, low, high):
        return low + (high - low) * self.unit()

    def below(self, n):
        """Lemire's: a product's upper word, unless its lower word is of the few that would be drawn too often."""
        while True:
            product = self.word() * n
            if product & MASK >= (1 << 32) % n:
                return product >> 32


def get_params(width, height, scale, ratio, draw):
    """(x, y, w, h), and whether it is the central fallback."""
    area = width * height
    for _ in range(10):
        target = area * draw.uniform(*scale)
        aspect = math.exp(draw.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            y = draw.below(height - h + 1)
            return draw.below(width - w + 1), y, w, h, False
    w, h = width, height
    if width / height < ratio[0]:
        h = round(w / ratio[0])
    elif width / height > ratio[1]:
        w = round(h * ratio[1])
    return (width - w) // 2, (height - h) // 2, w, h, True


def picture(number, width, height):
    """Noise over a gradient, from a linear congruential generator that any language can repeat."""
    state, out = 77 + number, np.empty(height * width * 3, np.uint8)
    for place in range(len(out)):
        state = (state * 1664525 + 1013904223) % 2**32
        out[place] = (state >> 26) + 3 * (place // 3 % width) % 192
    return out.reshape(height, width, 3)


def view(image, box, side, flip):
    x, y, w, h = box
    channels = []
    for channel in range(3):
        plane = Image.fromarray(image[:, :, channel].astype(np.float32), mode="F").crop((x, y, x + w, y + h))
        plane = plane.resize((side, side), Image.Resampling.BILINEAR)
        channels.append(np.asarray(ImageOps.mirror(plane) if flip else plane))
    return np.stack(channels, axis=-1)


SIZES = [(61, 40), (40, 61), (100, 30), (30, 100), (33, 33), (1, 50), (50, 1), (150, 113), (7, 5), (1, 1)]
cases, floats, fallbacks = [], [], 0
images = [picture(number, *size) for number, size in enumerate(SIZES)]
for seed, epoch, min_scale, side in [(0, 0, 0.08, 24), (5, 3, 0.5, 16), (1 << 40 | 9, 299, 1.0, 9), (11, 7, 0.25, 40)]:
    views = []
    for number, (width, height) in enumerate(SIZES):
        draw = Stream(seed, VIEW, epoch, number)
        *box, fallback = get_params(width, height, (min_scale, 1.0), (3 / 4, 4 / 3), draw)
        flip = draw.unit() < 0.5
        fallbacks += fallback
        views.append(dict(crop=dict(zip(("x", "y", "width", "height"), box)), flip=flip, fallback=fallback))
        if side < 40 or number == 7:
            floats.append(view(images[number], box, side, flip).flatten())
    cases.append(dict(seed=seed, epoch=epoch, min_scale=min_scale, side=side, views=views))
text = ",\n".join(json.dumps(case) for case in cases)
(HERE / "crops.json").write_text(f'{{"sizes": {json.dumps(SIZES)}, "cases": [\n{text}\n]}}\n')
(HERE / "crops.f32").write_bytes(np.concatenate(floats).astype("<f4").tobytes())
print(sum(map(len, floats)), "floats,", fallbacks, "fallbacks")
