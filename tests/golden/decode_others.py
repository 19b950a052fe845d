"""Oddities of PNG, WebP, GIF and BMP, and places where an orientation is kept: ../data/decode/others.z.

    python decode_others.py [FOLDER]     # FOLDER also gets the files themselves, to look at

Pixels are those of Pillow 13.0, with what is transparent laid over white; of 16 bit channels, and of a colour that is named as
transparent, what the specification says, as Pillow drops low bytes and keys them differently.
"""

import io, itertools, struct, zlib

import numpy as np
from PIL import Image, ImageOps

from decode_pack import NONE, Pack

pack = Pack()
W, H = 21, 14
y, x = np.mgrid[0:H, 0:W]
rgb = np.clip(np.stack([40 + 8 * x + y, 200 - 9 * y + x, 60 + 5 * x + 6 * y], -1), 0, 255).astype(np.uint8)
pic = Image.fromarray(rgb)
alpha = np.clip(13 * x + 5 * (y % 3), 0, 255).astype(np.uint8)
rgba = Image.fromarray(np.dstack([rgb, alpha]))


def over(im):
    im = im.convert('RGBA')
    w = Image.new('RGB', im.size, (255,) * 3)
    w.paste(im, mask=im.getchannel('A'))
    return w


def put(name, data, exp=None, twin=None):
    """`exp` are the pixels, or those that Pillow reads in `twin`, or in the file itself."""
    if exp is None:
        im = Image.open(io.BytesIO(twin or data))
        im.load()
        im = ImageOps.exif_transpose(im)
        exp = np.asarray(over(im) if im.mode in ("RGBA", "LA", "PA") or "transparency" in im.info else im.convert("RGB"))
    pack.files.append((name, data, pack.picture(exp.astype(np.uint8))))


chunk = lambda k, b: struct.pack('>I', len(b)) + k + b + struct.pack('>I', zlib.crc32(k + b))


def png(samples, depth, ct, inter=False, pre=(), post=()):
    h, w = samples.shape[:2]

    def row(r):
        r = r.reshape(-1)
        if depth == 16:
            return b'\0' + r.astype('>u2').tobytes()
        if depth == 8:
            return b'\0' + r.astype(np.uint8).tobytes()
        bits = ''.join(format(int(v), f'0{depth}b') for v in r)
        bits += '0' * (-len(bits) % 8)
        return b'\0' + int(bits, 2).to_bytes(len(bits) // 8, 'big')

    if inter:
        rows = b''
        for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
            part = samples[y0::dy, x0::dx]
            if part.size:
                rows += b''.join(row(r) for r in part)
    else:
        rows = b''.join(row(samples[r]) for r in range(h))
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, ct, 0, 0, int(inter)))
        + b''.join(chunk(*c) for c in pre)
        + chunk(b'IDAT', zlib.compress(rows))
        + b''.join(chunk(*c) for c in post)
        + chunk(b'IEND', b'')
    )


def to8(a):
    return ((a.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def white(c, a):
    a = a.astype(int)
    return ((c.astype(int) * a + 255 * (255 - a) + 127) // 255).astype(np.uint8)


rgb16 = (rgb.astype(np.uint16) * 256 + (97 * x + 31 * y)[..., None] % 256).astype(np.uint16)
put('i16.png', png(rgb16, 16, 2, True), to8(rgb16))
a16 = alpha.astype(np.uint16) * 257
put('rgba16i.png', png(np.dstack([rgb16, a16]), 16, 6, True), white(to8(rgb16), alpha[..., None]))
g = (x * 12 % 256).astype(np.uint8)
key = g == 24
e = np.repeat(g[..., None], 3, -1).copy()
e[key] = 255
put('gray_trns.png', png(g, 8, 0, pre=[(b'tRNS', struct.pack('>H', 24))]), e)
for d in (1, 2, 4):
    s = (x + y) % (1 << d)
    e = np.repeat((s * 255 // ((1 << d) - 1)).astype(np.uint8)[..., None], 3, -1).copy()
    put(f'gray{d}.png', png(s, d, 0), e)
    e = e.copy()
    e[s == 1] = 255
    put(f'gray{d}_trns.png', png(s, d, 0, pre=[(b'tRNS', struct.pack('>H', 1))]), e)
    put(f'gray{d}i_trns.png', png(s, d, 0, True, pre=[(b'tRNS', struct.pack('>H', 1))]), e)
    pal = bytes(range(3 * (1 << d)))
    e = np.frombuffer(pal, np.uint8).reshape(-1, 3)[s]
    put(f'pal{d}i.png', png(s, d, 3, True, pre=[(b'PLTE', pal)]), e)
e = rgb.copy()
e[3, 5] = 255
put('rgb_trns.png', png(rgb, 8, 2, pre=[(b'tRNS', struct.pack('>HHH', *[int(v) for v in rgb[3, 5]]))]), e)
g16 = (x * 2861 + y * 517 + 300).astype(np.uint16)
e = np.repeat(to8(g16)[..., None], 3, -1).copy()
e[g16 == g16[2, 3]] = 255
put('g16_trns.png', png(g16, 16, 0, pre=[(b'tRNS', struct.pack('>H', int(g16[2, 3])))]), e)
e = to8(rgb16).copy()
e[2, 3] = 255
put('rgb16_trns.png', png(rgb16, 16, 2, pre=[(b'tRNS', struct.pack('>HHH', *[int(v) for v in rgb16[2, 3]]))]), e)
put('ga16.png', png(np.dstack([g16, a16]), 16, 4), white(np.repeat(to8(g16)[..., None], 3, -1), alpha[..., None]))
b = io.BytesIO()
pic.save(b, 'PNG', save_all=True, append_images=[pic.rotate(180)], duration=50)
put('apng.png', b.getvalue(), rgb)
b = io.BytesIO()
pic.save(b, 'PNG', save_all=True, append_images=[pic.rotate(180)], default_image=True, duration=50)
put('apng_default.png', b.getvalue(), rgb)
put('gamma.png', png(rgb, 8, 2, pre=[(b'gAMA', struct.pack('>I', 100000))]), rgb)
put('pal_short_trns.png', png(x % 4, 8, 3, pre=[(b'PLTE', bytes(range(10, 22))), (b'tRNS', b'\0')]))
put('pal_out.png', png(x % 6, 8, 3, pre=[(b'PLTE', bytes(range(10, 22)))]))
# webp
b = io.BytesIO()
pic.save(b, 'WEBP', save_all=True, append_images=[pic.rotate(180)], duration=50, lossless=True)
put('anim.webp', b.getvalue(), rgb)
b = io.BytesIO()
rgba.save(b, 'WEBP', quality=80)
put('vp8x_alpha_lossy.webp', b.getvalue())
b = io.BytesIO()
rgba.save(b, 'WEBP', save_all=True, append_images=[rgba.rotate(180)], duration=50, lossless=True, exact=True)
put('anim_alpha.webp', b.getvalue())
b = io.BytesIO()
rgba.save(b, 'WEBP', save_all=True, append_images=[rgba.rotate(180)], duration=50, quality=80)
put('anim_lossy_alpha.webp', b.getvalue())
# a frame smaller than the canvas, background
b = io.BytesIO()
pic.crop((0, 0, 8, 6)).save(b, 'WEBP', lossless=True)
one = b.getvalue()[12:]


def webpanim(bg, flags=0, animflag=2):
    u24 = lambda n: struct.pack('<I', n)[:3]
    fr = u24(2) + u24(1) + u24(7) + u24(5) + u24(50) + bytes([flags]) + one
    body = (
        b'WEBP'
        + b'VP8X'
        + struct.pack('<I', 10)
        + bytes([animflag, 0, 0, 0])
        + u24(20)
        + u24(13)
        + b'ANIM'
        + struct.pack('<I', 6)
        + bg
        + b'\0\0'
        + b'ANMF'
        + struct.pack('<I', len(fr))
        + fr
        + b'\0' * (len(fr) & 1)
    )
    return b'RIFF' + struct.pack('<I', len(body)) + body


put('part.webp', webpanim(b'\x10\x20\xc0\xff'))
put('part_alpha.webp', webpanim(b'\x10\x20\xc0\xff', 0, 0x12))
put('part_clear.webp', webpanim(bytes(4), 2, 0x12))


# gif
def gif(screen, bgi, frame, trans, gce=True, inter=False, off=(3, 2)):
    pal = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 200, 0])
    w, h = frame
    px = [(i % 4) for i in range(w * h)]
    q = Image.frombytes('P', (w, h), bytes(px))
    q.putpalette(pal)
    b = io.BytesIO()
    q.save(b, 'GIF', interlace=inter)
    d = b.getvalue()
    k = d.index(b',', 13 + 12)
    lz = d[k + 10 : -1]
    flags = d[k + 9]
    out = b'GIF89a' + struct.pack('<HHBBB', *screen, 0x81, bgi, 0) + pal
    if gce:
        out += b'!\xf9\4' + bytes([1 if trans is not None else 0, 0, 0, trans or 0]) + b'\0'
    out += b',' + struct.pack('<HHHHB', *off, w, h, flags & 0x40) + lz + b';'
    return out


for n, a in dict(
    gif_small_trans=((21, 14), 2, (8, 6), 2),
    gif_inter=((21, 14), 0, (21, 14), None, True, True, (0, 0)),
).items():
    put(n + '.gif', gif(*a))
b = io.BytesIO()
pic.quantize(40).save(b, 'GIF', interlace=1)
put('gif87.gif', b.getvalue().replace(b'GIF89a', b'GIF87a'))


# bmp
def bmp(hdr, bits, comp, data, pal=b'', w=W, h=H, masks=b'', extra=b''):
    hd = struct.pack('<IiiHHIIiiII', hdr, w, h, 1, bits, comp, len(data), 2835, 2835, len(pal) // 4, 0)
    hd += masks if hdr == 40 else masks + bytes(hdr - 40 - len(masks))
    off = 14 + len(hd) + len(pal)
    return b'BM' + struct.pack('<IHHI', off + len(data), 0, 0, off) + hd + pal + data


def rows(f, flip=True):
    o = b''
    for r in (range(H - 1, -1, -1) if flip else range(H)):
        d = f(r)
        o += d + b'\0' * (-len(d) % 4)
    return o


bgr = rgb[..., ::-1]
put('top.bmp', bmp(40, 24, 0, rows(lambda r: bgr[r].tobytes(), False), h=-H), rgb)
put('b32.bmp', bmp(40, 32, 0, rows(lambda r: np.dstack([bgr, alpha])[r].tobytes())), rgb)
put('b32zero.bmp', bmp(40, 32, 0, rows(lambda r: np.dstack([bgr, alpha * 0])[r].tobytes())), rgb)
m = struct.pack('<IIII', 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
put('b32v4a.bmp', bmp(108, 32, 3, rows(lambda r: np.dstack([bgr, alpha])[r].tobytes()), masks=m), white(rgb, alpha[..., None]))
put('b32v5a.bmp', bmp(124, 32, 3, rows(lambda r: np.dstack([bgr, alpha])[r].tobytes()), masks=m), white(rgb, alpha[..., None]))
put('b32mask.bmp', bmp(40, 32, 3, rows(lambda r: np.dstack([bgr, alpha])[r].tobytes()), masks=m[:12]), rgb)
p5 = (rgb[..., 0].astype(int) >> 3) << 10 | (rgb[..., 1].astype(int) >> 3) << 5 | rgb[..., 2].astype(int) >> 3
put('b16.bmp', bmp(40, 16, 0, rows(lambda r: p5[r].astype('<u2').tobytes())))
p6 = (rgb[..., 0].astype(int) >> 3) << 11 | (rgb[..., 1].astype(int) >> 2) << 5 | rgb[..., 2].astype(int) >> 3
put('b565.bmp', bmp(40, 16, 3, rows(lambda r: p6[r].astype('<u2').tobytes()), masks=struct.pack('<III', 0xF800, 0x7E0, 0x1F)))
pal = b''.join(bytes([i * 16, 255 - i * 16, i * 7, 0]) for i in range(16))
ix = (x + y) % 16
pe = np.array([[i * 7, 255 - i * 16, i * 16] for i in range(16)], np.uint8)[ix]
rle = b''.join(b''.join(bytes([1, int(v)]) for v in ix[r]) + b'\0\0' for r in range(H - 1, -1, -1))[:-2] + b'\0\1'
put('rle8.bmp', bmp(40, 8, 1, rle, pal), pe)
rlea = b''.join(b'\0' + bytes([W]) + bytes(int(v) for v in ix[r]) + b'\0' * (W & 1) + b'\0\0' for r in range(H - 1, -1, -1))[:-2] + b'\0\1'
put('rle8abs.bmp', bmp(40, 8, 1, rlea, pal), pe)
rle4 = b''.join(b''.join(bytes([1, int(v) << 4]) for v in ix[r]) + b'\0\0' for r in range(H - 1, -1, -1))[:-2] + b'\0\1'
put('rle4.bmp', bmp(40, 4, 2, rle4, pal), pe)
put(
    'p4.bmp',
    bmp(40, 4, 0, rows(lambda r: bytes(int(a) << 4 | int(b) for a, b in itertools.zip_longest(ix[r][::2], ix[r][1::2], fillvalue=0))), pal),
    pe,
)
put('p1.bmp', bmp(40, 1, 0, rows(lambda r: int(''.join(str(v & 1) for v in ix[r]) + '000', 2).to_bytes(3, 'big')), pal[:8]))
hd = struct.pack('<IHHHH', 12, W, H, 1, 24)
d = rows(lambda r: bgr[r].tobytes())
put('os2.bmp', b'BM' + struct.pack('<IHHI', 26 + len(d), 0, 0, 26) + hd + d, rgb)
hd = struct.pack('<IHHHH', 12, W, H, 1, 8)
d = rows(lambda r: bytes(int(v) for v in ix[r]))
p3 = b''.join(pal[4 * i : 4 * i + 3] for i in range(16)) + bytes(240 * 3)
put('os2pal.bmp', b'BM' + struct.pack('<IHHI', 26 + 768 + len(d), 0, 0, 26 + 768) + hd + p3 + d, pe)

# What a first picture does not cover is transparent, as browsers have it; Pillow paints it in the first colour.
e = np.full((14, 21, 3), 255, np.uint8)
e[2:8, 3:11] = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 200, 0]], np.uint8)[np.arange(48).reshape(6, 8) % 4]
put('gif_small.gif', gif((21, 14), 1, (8, 6), None), e)
put('gif_small_nogce.gif', gif((21, 14), 3, (8, 6), None, False), e)
pack.files.append(('beyond.gif', gif((10, 8), 0, (8, 7), None, True, False, (5, 4)), NONE))


# Where an orientation is kept.
def tiff(value, kind=3, little=True, before=1):
    o = '<' if little else '>'
    fmt = {1: 'B3x', 3: 'H2x', 4: 'I'}[kind]
    entries = [struct.pack(o + 'HHII', 0x100 + i, 4, 1, 7) for i in range(before)] + [struct.pack(o + 'HHI' + fmt, 0x112, kind, 1, value)]
    return (b'II*\0' if little else b'MM\0*') + struct.pack(o + 'IH', 8, len(entries)) + b''.join(entries) + bytes(4)


P = b'Exif\0\0'


def xmp(n, attribute=True):
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description '
        + (b'tiff:Orientation="%d"/>' % n if attribute else b'><tiff:Orientation>%d</tiff:Orientation></rdf:Description>' % n)
        + b'</x:xmpmeta>'
    )


small = rgb[:5, :7]
b = io.BytesIO()
Image.fromarray(small).save(b, 'WEBP', lossless=True)
vp8l = b.getvalue()[12:]


def webp(*chunks):
    u24 = lambda n: struct.pack('<I', n)[:3]
    ck = lambda k, d: k + struct.pack('<I', len(d)) + d + b'\0' * (len(d) & 1)
    flags = sum({b'EXIF': 8, b'XMP ': 4}[k] for k, _ in chunks)
    body = b'WEBP' + ck(b'VP8X', bytes([flags, 0, 0, 0]) + u24(6) + u24(4)) + vp8l + b''.join(ck(*c) for c in chunks)
    return b'RIFF' + struct.pack('<I', len(body)) + body


b = io.BytesIO()
Image.fromarray(small).save(b, 'JPEG', quality=95, subsampling=0)
jpg = b.getvalue()


def jpeg(*bodies):
    return jpg[:2] + b''.join(b'\xff\xe1' + struct.pack('>H', len(d) + 2) + d for d in bodies) + jpg[2:]


X = b'http://ns.adobe.com/xap/1.0/\0'
itxt = lambda d: (b'iTXt', b'XML:com.adobe.xmp\0\0\0\0\0' + d)
for n, (kind, little) in enumerate(itertools.product((1, 3, 4), (True, False))):
    value = 3 + n
    t = tiff(value, kind, little, n % 3)
    # Pillow takes a number of type BYTE for text; its pixels are those of the type SHORT.
    short = tiff(value, 3, little, n % 3)
    name = f'turn{value}_{kind}_' + ('II' if little else 'MM')
    for label, made in {
        '.webp': lambda t: webp((b'EXIF', t)),
        '_prefix.webp': lambda t: webp((b'EXIF', P + t)),
        '_twice.webp': lambda t: webp((b'EXIF', P + P + t)),
        '.jpg': lambda t: jpeg(P + t),
        '_before.png': lambda t: png(small, 8, 2, pre=[(b'eXIf', t)]),
        '_after.png': lambda t: png(small, 8, 2, post=[(b'eXIf', t)]),
        '_prefix.png': lambda t: png(small, 8, 2, post=[(b'eXIf', P + t)]),
    }.items():
        put(name + label, made(t), twin=made(short))
for n, attribute in ((6, True), (8, False)):
    put(f'xmp{n}.webp', webp((b'XMP ', xmp(n, attribute))))
    put(f'xmp{n}.jpg', jpeg(X + xmp(n, attribute)))
    put(f'xmp{n}.png', png(small, 8, 2, pre=[itxt(xmp(n, attribute))]))
    put(f'xmp{n}_after.png', png(small, 8, 2, post=[itxt(xmp(n, attribute))]))
    put(f'exif_before_xmp{n}.webp', webp((b'EXIF', tiff(3)), (b'XMP ', xmp(n))))
    put(f'exif_before_xmp{n}.jpg', jpeg(X + xmp(n), P + tiff(3)))
    put(f'exif_before_xmp{n}.png', png(small, 8, 2, pre=[itxt(xmp(n)), (b'eXIf', tiff(3))]))
    put(f'exif_silent_xmp{n}.jpg', jpeg(P + b'II*\0\x08\0\0\0\0\0\0\0\0\0', X + xmp(n)))
    raw = P + tiff(n)
    put(
        f'profile{n}.png',
        png(small, 8, 2, pre=[(b'tEXt', b'Raw profile type exif\0\nexif\n%8d\n' % len(raw) + raw.hex().encode() + b'\n')]),
    )
still = np.asarray(Image.open(io.BytesIO(jpg)).convert('RGB'))
for n, t in enumerate((b'', b'nonsense', b'II*\0\xff\xff\xff\xff', tiff(9), tiff(0), tiff(6)[:20], tiff(99999, 4))):
    put(f'nonsense{n}.jpg', jpeg(P + t), still)
    put(f'nonsense{n}.webp', webp((b'EXIF', t)), small)
    put(f'nonsense{n}.png', png(small, 8, 2, pre=[(b'eXIf', t)]), small)
pack.write('others.z')
