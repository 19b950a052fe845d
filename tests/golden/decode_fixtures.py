"""Small image files of every variant, and the pixels Pillow gives for each.

    python decode_fixtures.py            # writes ../data/decode

Beside every `name` lies `name.rgb`: width and height (little-endian u32), then the RGB bytes.
Pillow 13.0, libjpeg-turbo. Pillow drops the low byte of 16 bit channels; here they are rounded to the
nearest level with NumPy, which is what tilepress promises. Pillow writes no YCCK, so `ycck.jpg`
is a CMYK file made from YCCK values whose Adobe marker is set to say so.
"""
import io, pathlib, struct, zlib

import numpy as np
from PIL import Image, ImageOps

out = pathlib.Path(__file__).parent.parent / "data" / "decode"
out.mkdir(parents=True, exist_ok=True)
W, H = 21, 14
y, x = np.mgrid[0:H, 0:W]
# Smooth colour, so that the lossy formats are compared where their decoders should agree, with a corner of texture.
smooth = np.stack([40 + 8 * x + y, 200 - 9 * y + x, 60 + 5 * x + 6 * y], -1)
smooth[:6, :6, 1] += 17 * ((x + y) % 2)[:6, :6]
rgb = np.clip(smooth, 0, 255).astype(np.uint8)
alpha = np.clip(13 * x + 5 * (y % 3), 0, 255).astype(np.uint8)
alpha[:2] = 0
alpha[-2:] = 255
picture = Image.fromarray(rgb)
rgba = Image.fromarray(np.dstack([rgb, alpha]))


def over_white(im):
    im = im.convert("RGBA")
    white = Image.new("RGB", im.size, (255, 255, 255))
    white.paste(im, mask=im.getchannel("A"))
    return white


def keep(name, data, expected=None):
    (out / name).write_bytes(data)
    if expected is None:
        im = Image.open(io.BytesIO(data))
        im.load()
        im = ImageOps.exif_transpose(im)
        has_alpha = im.mode in ("RGBA", "LA") or "transparency" in im.info
        expected = np.asarray(over_white(im) if has_alpha else im.convert("RGB"))
    h, w = expected.shape[:2]
    (out / (name + ".rgb")).write_bytes(struct.pack("<II", w, h) + expected.astype(np.uint8).tobytes())


def save(im, name, **options):
    data = io.BytesIO()
    im.save(data, {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "gif": "GIF", "webp": "WEBP"}[name.split(".")[1]], **options)
    keep(name, data.getvalue())
    return data.getvalue()


def png16(samples, colour_type):
    """A PNG of 16 bit samples, which Pillow cannot write for RGB."""
    h, w = samples.shape[:2]
    rows = b"".join(b"\0" + samples[r].astype(">u2").tobytes() for r in range(h))
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def interlaced_png(samples):
    """An Adam7 PNG, which Pillow cannot write."""
    rows = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = samples[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    h, w = samples.shape[:2]
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 1))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def to8(samples):
    eight = ((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(eight[..., None], 3, -1) if eight.ndim == 2 else eight


save(picture, "baseline.jpg", quality=90, subsampling=0)
save(picture, "subsampled.jpg", quality=90, subsampling=2)
save(picture, "progressive.jpg", quality=90, subsampling=0, progressive=True)
save(picture.convert("L"), "gray.jpg", quality=90)
cmyk = Image.merge("CMYK", [Image.fromarray(c) for c in (255 - rgb[..., 0], 255 - rgb[..., 1], 255 - rgb[..., 2], (rgb[..., 2] // 3))])
save(cmyk, "cmyk.jpg", quality=92)

# YCCK: the CMY channels as if they were RGB, turned to YCbCr; K beside them, inverted as Adobe does.
ycc = np.asarray(Image.fromarray(255 - rgb).convert("YCbCr"))
k = np.asarray(cmyk)[..., 3]
buffer = io.BytesIO()
# Pillow inverts CMYK when it writes, hence the complement.
Image.merge("CMYK", [Image.fromarray(255 - c) for c in (ycc[..., 0], ycc[..., 1], ycc[..., 2])] + [Image.fromarray(k)]).save(buffer, "JPEG", quality=92)
data = bytearray(buffer.getvalue())
adobe = data.find(b"Adobe")
assert adobe > 0
data[adobe + 11] = 2
keep("ycck.jpg", bytes(data))

save(picture, "rgb.png")
save(picture.quantize(23), "palette.png")
clear = picture.quantize(11)
save(clear, "palette_transparent.png", transparency=bytes([0, 90, 180] + [255] * 8))
save(picture.convert("1"), "one_bit.png")
save(rgba.convert("LA"), "gray_alpha.png")
save(rgba, "rgba.png")
gray16 = (x * 2861 + y * 517 + 300).astype(np.uint16)
keep("gray16.png", png16(gray16, 0), to8(gray16))
rgb16 = (rgb.astype(np.uint16) * 256 + (97 * x + 31 * y)[..., None] % 256).astype(np.uint16)
keep("rgb16.png", png16(rgb16, 2), to8(rgb16))
keep("interlaced.png", interlaced_png(rgb))
assert (np.asarray(Image.open(out / "interlaced.png")) == rgb).all()

save(picture, "lossless.webp", lossless=True)
save(rgba, "alpha.webp", lossless=True, exact=True)
save(picture, "lossy.webp", quality=90)
save(picture, "rgb.bmp")
save(picture.quantize(23), "palette.bmp")
turned = picture.rotate(180)
save(picture.quantize(40), "animated.gif", save_all=True, append_images=[turned.quantize(40)], duration=100, loop=0)
save(picture.quantize(11), "transparent.gif", transparency=3)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


small = picture.crop((0, 0, 7, 5))
for orientation in range(1, 9):
    save(small, f"orientation{orientation}.png", exif=exif(orientation))
save(picture, "orientation6.jpg", quality=90, subsampling=0, exif=exif(6))
save(small, "orientation8.webp", lossless=True, exif=exif(8))

data = io.BytesIO()
picture.save(data, "PNG")
keep("png_called.jpg", data.getvalue())
print(sum(f.stat().st_size for f in out.iterdir()), "bytes in", len(list(out.iterdir())), "files")
