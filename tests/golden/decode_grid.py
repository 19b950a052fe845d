"""A grid of JPEG encodings, and the pixels libjpeg-turbo gives for each: ../data/decode/grid.z, read by ../../src/data/decode/grid.rs.

    python decode_grid.py [FOLDER]       # FOLDER also gets the files themselves, to look at

Needs cjpeg and jpegtran (Debian: libjpeg-turbo-progs), Pillow 13.0. A picture is compressed once for each sampling and size;
jpegtran then lays the same coefficients out in other scans, so that all of them have the pixels of the first. Markers are
changed by hand.
"""
import io, itertools, pathlib, struct, subprocess, tempfile

import numpy as np
from PIL import Image

from decode_pack import NONE, Pack

work = pathlib.Path(tempfile.mkdtemp())
pack = Pack()
files = pack.files


def picture(w, h):
    """Smooth in colour, so that decoders which fill in colour differently agree; the corners are of other colours."""
    y, x = np.mgrid[0:h, 0:w]
    s, t = x / max(w - 1, 12), y / max(h - 1, 12)
    rgb = np.stack([40 + 170 * s + 30 * t, 200 - 150 * t + 20 * s, 60 + 80 * s * t + 70 * (1 - s)], -1)
    return np.clip(rgb + (6 * np.sin(x * 0.9 + y * 0.5))[..., None], 0, 255).astype(np.uint8)


def run(tool, *options, data):
    done = subprocess.run([tool, *options], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout if done.returncode == 0 else None


def ppm(rgb):
    return b"P6 %d %d 255\n" % (rgb.shape[1], rgb.shape[0]) + rgb.tobytes()


def script(text):
    path = work / f"{abs(hash(text))}.txt"
    path.write_text(text)
    return str(path)


def pixels(data):
    """Number of the picture that Pillow decodes."""
    try:
        with Image.open(io.BytesIO(data)) as im:
            rgb = np.asarray(im.convert("RGB"))
    except Exception:
        return NONE
    return pack.picture(rgb)


def keep(name, data, same=None):
    number = pixels(data)
    assert same is None or number == same, name
    files.append((name, data, number))
    return number


def segments(data):
    """(marker, body) of every segment, and the rest from the first SOS on."""
    at, found = 2, []
    while data[at + 1] != 0xDA:
        n = int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((data[at + 1], data[at + 4 : at + 2 + n]))
        at += 2 + n
    return found, data[at:]


def joined(found, rest):
    return b"\xff\xd8" + b"".join(bytes([0xFF, m]) + struct.pack(">H", len(b) + 2) + b for m, b in found) + rest


# Factors of the channels, the first is the brightness.
SAMPLINGS = {
    "444": "1x1", "422": "2x1", "420": "2x2", "440": "1x2", "411": "4x1", "410": "4x2", "441": "1x4",
    # Nothing is reduced, in factors that are not 1.
    "444as21": "2x1,2x1,2x1", "444as12": "1x2,1x2,1x2", "444as22": "2x2,2x2,2x2", "444as31": "3x1,3x1,3x1",
    # One channel of colour only, or in another direction than the other.
    "422as22": "2x2,1x2,1x2", "440as22": "2x2,2x1,2x1", "cb": "2x2,1x1,2x2", "cr": "2x2,2x2,1x1", "crossed": "2x2,2x1,1x2",
    # Brightness below colour.
    "below22": "1x1,2x2,2x2", "below21": "1x1,2x1,2x1", "below12": "1x1,1x2,1x2", "below_cb": "1x1,2x2,1x1", "below_h": "1x2,2x1,2x1",
    "below_v": "2x1,1x2,1x2", "below41": "2x1,4x1,1x1",
    # Thirds.
    "31": "3x1", "13": "1x3", "32": "3x2", "23": "2x3,1x1,1x1",
}
SIZES = [(1, 1), (7, 9), (8, 8), (15, 16), (17, 33), (31, 2), (3, 40), (49, 34)]
PROGRESSION = """0 1 2: 0-0, 0, 1; 0: 1-5, 0, 2; 2: 1-63, 0, 1; 1: 1-63, 0, 1; 0: 6-63, 0, 2;
0: 1-63, 2, 1; 0 1 2: 0-0, 1, 0; 2: 1-63, 1, 0; 1: 1-63, 1, 0; 0: 1-63, 1, 0;"""
APART = "0: 0-0, 0, 0; 1: 0-0, 0, 0; 2: 0-0, 0, 0; 0: 1-63, 0, 0; 1: 1-63, 0, 0; 2: 1-63, 0, 0;"
MODES = {
    "whole": [], "whole_restart1": ["-restart", "1B"], "whole_restart3": ["-restart", "3B"], "whole_rows": ["-restart", "1"],
    "apart": ["-scans", "0;1;2;"], "apart_restart2": ["-scans", "0;1;2;", "-restart", "2B"], "backwards": ["-scans", "2;1;0;"],
    "pair": ["-scans", "0;1 2;"], "pair_first": ["-scans", "0 1;2;"],
    "progressive": ["-progressive"], "progressive_restart": ["-progressive", "-restart", "2B"],
    "progressive_ours": ["-scans", PROGRESSION], "progressive_apart": ["-scans", APART],
    "arithmetic": ["-arithmetic"], "arithmetic_progressive": ["-arithmetic", "-progressive"],
}
for (sampling, factors), size in itertools.product(SAMPLINGS.items(), SIZES):
    blocks = [[int(n) for n in f.split("x")] for f in factors.split(",")] + [[1, 1]] * 2
    interleaved = sum(h * v for h, v in blocks[:3]) <= 10
    base = run("cjpeg", "-quality", "88", "-sample", factors, *([] if interleaved else ["-scans", script("0;1;2;")]), data=ppm(picture(*size)))
    assert base, (sampling, size)
    number = pixels(base)
    for mode, options in MODES.items():
        if mode.startswith("arithmetic") and size != (17, 33):
            continue
        options = [script(o) if ";" in o else o for o in options]
        data = run("jpegtran", "-copy", "all", *options, data=base)
        # More than ten blocks do not go into one scan.
        if data is not None:
            keep(f"{sampling}/{size[0]}x{size[1]}/{mode}", data, number)

# Gray, whose factors mean nothing.
for size, factors, (mode, options) in itertools.product(SIZES, ["1x1", "2x2", "1x2", "3x1"], list(MODES.items())[:4] + list(MODES.items())[9:11]):
    gray = run("cjpeg", "-grayscale", "-quality", "88", data=ppm(picture(*size)))
    found, rest = segments(run("jpegtran", *options, data=gray))
    sof = next(i for i, (m, _) in enumerate(found) if m in (0xC0, 0xC2))
    body = bytearray(found[sof][1])
    body[7] = int(factors[0]) << 4 | int(factors[2])
    found[sof] = (found[sof][0], bytes(body))
    # libjpeg pads a scan of one channel to its factors only when it interleaves, which it never does here.
    keep(f"gray{factors}/{size[0]}x{size[1]}/{mode}", joined(found, rest), pixels(gray))

# Markers that say what the colours are.
JFIF = (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform):
    return (0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


MARKERS = {
    "none": [], "jfif": [JFIF], "short_jfif": [(0xE0, b"JFIF\0\1\1")], "jfxx": [(0xE0, b"JFXX\0\x10" + bytes(20))],
    "adobe0": [adobe(0)], "adobe1": [adobe(1)], "adobe2": [adobe(2)], "adobe3": [adobe(3)], "adobe255": [adobe(255)],
    "short_adobe": [(0xEE, b"Adobe\0\x64\0\0\0")], "not_adobe": [(0xEE, b"Ducky\0\x64\0\0\0\0\0")], "long_adobe": [(0xEE, adobe(0)[1] + b"more")],
    "jfif_adobe0": [JFIF, adobe(0)], "adobe0_jfif": [adobe(0), JFIF], "jfif_adobe1": [JFIF, adobe(1)], "jfif_adobe2": [JFIF, adobe(2)],
    "adobe0_adobe1": [adobe(0), adobe(1)], "adobe1_adobe0": [adobe(1), adobe(0)],
    "empty_segments": [(m, b"") for m in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE)],
    "nonsense": [(0xE1, b"Exif\0\0nonsense"), (0xE2, b"ICC_PROFILE\0"), (0xED, b"Photoshop 3.0\0"), (0xE2, b"MPF\0"), (0xE1, b"http://ns.adobe.com/xmp/extension/\0"), (0xE8, b"SPIFF\0")],
}
IDS = {"123": b"\1\2\3", "012": b"\0\1\2", "RGB": b"RGB", "rgb": b"rgb", "BGR": b"BGR", "YCc": b"\1\x22\x23", "other": b"\5\6\7", "321": b"\3\2\1"}
ORDINARY = {"444": "1x1", "420": "2x2"}


def with_markers(data, markers, ids, after_sof=False):
    """`data` with other application markers and channel names, in its frame and in its first scan."""
    found, rest = segments(data)
    tables, frame = [s for s in found if s[0] not in range(0xE0, 0xF0)], []
    for i, (m, b) in enumerate(tables):
        if m in (0xC0, 0xC2):
            b = bytearray(b)
            b[6 : 6 + 3 * len(ids) : 3] = ids
            tables[i] = (m, bytes(b))
    rest = bytearray(rest)
    rest[5 : 5 + 2 * len(ids) : 2] = ids
    return joined(tables + markers if after_sof else markers + tables, bytes(rest))


for (sampling, factors), (label, markers), (named, ids) in itertools.product(ORDINARY.items(), MARKERS.items(), IDS.items()):
    base = run("cjpeg", "-quality", "90", "-sample", factors, data=ppm(picture(17, 9)))
    # Pillow stumbles over nonsense in segments that have nothing to do with pixels; the pixels are those without it.
    plain = pixels(with_markers(base, [], ids)) if label == "nonsense" else None
    if plain is not None:
        files.append((f"markers/{sampling}/{label}/{named}", with_markers(base, markers, ids), plain))
        continue
    keep(f"markers/{sampling}/{label}/{named}", with_markers(base, markers, ids))
    if named in ("123", "RGB"):
        keep(f"markers_last/{sampling}/{label}/{named}", with_markers(base, markers, ids, after_sof=True))
        whole = with_markers(run("cjpeg", "-quality", "90", "-sample", factors, "-rgb", data=ppm(picture(17, 9))), markers, ids)
        keep(f"rgb/{sampling}/{label}/{named}", whole)
# Names of channels in scans of their own and in progressive ones.
for (sampling, factors), mode, named in itertools.product(ORDINARY.items(), ["apart", "progressive"], ["012", "RGB", "321"]):
    data = bytearray(run("jpegtran", *[script(o) if ";" in o else o for o in MODES[mode]], data=run("cjpeg", "-sample", factors, data=ppm(picture(17, 9)))))
    at = 0
    while (at := data.find(b"\xff", at)) >= 0:
        if data[at + 1] in (0xC0, 0xC2):
            for i in range(3):
                data[at + 10 + 3 * i] = IDS[named][i]
        elif data[at + 1] == 0xDA:
            for i in range(data[at + 4]):
                data[at + 5 + 2 * i] = IDS[named][data[at + 5 + 2 * i] - 1]
        at += 2
    keep(f"named_{mode}/{sampling}/{named}", bytes(data))

# Four inks: as they are or as brightness and colour, inverted as Adobe does or said not to be, in every layout of scans.
for size, sub in itertools.product([(17, 9), (33, 17)], [0, 2]):
    rgb = picture(*size)
    cmyk = Image.merge("CMYK", [Image.fromarray(255 - rgb[..., i]) for i in range(3)] + [Image.fromarray(rgb[..., 2] // 3)])
    data = io.BytesIO()
    cmyk.save(data, "JPEG", quality=90, subsampling=sub)
    for label in ["none", "adobe0", "adobe1", "adobe2", "adobe3", "jfif", "jfif_adobe0", "jfif_adobe2"]:
        for mode, options in {"whole": [], "restart": ["-restart", "2B"], "apart": ["-scans", script("0;1;2;3;")], "progressive": ["-progressive"]}.items():
            for ids in (b"\1\2\3\4", b"CMYK"):
                if mode == "apart" and ids == b"CMYK":
                    continue
                base = run("jpegtran", "-copy", "all", *options, data=data.getvalue())
                found, rest = segments(base)
                at, whole = 0, bytearray(with_markers(base, MARKERS[label], ids) if mode in ("whole", "restart") else joined(MARKERS[label] + [s for s in found if s[0] not in range(0xE0, 0xF0)], rest))
                keep(f"inks{sub}/{size[0]}x{size[1]}/{label}/{mode}/{ids.hex()}", bytes(whole))

# What cameras, editors and transfers leave behind, and what is another kind of JPEG altogether.
base = run("cjpeg", "-quality", "90", "-sample", "2x2", data=ppm(picture(33, 17)))
found, rest = segments(base)
number = pixels(base)
scan = rest[: 2 + int.from_bytes(rest[2:4], "big")]
keep("odd/trailing_bytes", base + bytes(50), number)
keep("odd/second_image", base + base, number)
keep("odd/fill_bytes", base.replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(b"\xff\xda", b"\xff\xff\xda"), number)
keep("odd/fill_before_end", base[:-2] + b"\xff\xff\xff\xd9", number)
keep("odd/bytes_before_marker", base.replace(b"\xff\xdb", b"abcdefg\xff\xdb", 1), number)
keep("odd/restart_outside", base.replace(b"\xff\xdb", b"\xff\xd0\xff\xdb", 1), number)
keep("odd/comment_after_scan", base[:-2] + b"\xff\xfe\0\5abc\xff\xd9", number)
keep("odd/height_told_again", base[:-2] + b"\xff\xdc\0\4\0\x11\xff\xd9", number)
keep("odd/no_tables", joined([s for s in found if s[0] != 0xC4], rest), number)
keep("odd/no_tables_avi", joined([(0xE0, b"AVI1\0" + bytes(9))] + [s for s in found if s[0] not in (0xC4, 0xE0)], rest), number)
keep("odd/sixteen_bit_tables", joined([(m, b"".join(bytes([0x10 | b[65 * i]]) + b"".join(b"\0" + bytes([q]) for q in b[65 * i + 1 : 65 * i + 65]) for i in range(len(b) // 65))) if m == 0xDB else (m, b) for m, b in found], rest), number)
keep("odd/extended", base.replace(b"\xff\xc0", b"\xff\xc1", 1), number)
keep("odd/restart_zero", base.replace(b"\xff\xda", b"\xff\xdd\0\4\0\0\xff\xda", 1), number)
files.append(("odd/unknown_segment", base.replace(b"\xff\xda", b"\xff\xf0\0\5abc\xff\xda", 1), number))
for code in [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7]:
    files.append((f"kind/{code:X}", base.replace(b"\xff\xc0", bytes([0xFF, code]), 1), NONE))
sof = base.index(b"\xff\xc0")
files.append(("kind/twelve", base[: sof + 1] + b"\xc1" + base[sof + 2 : sof + 4] + b"\x0c" + base[sof + 5 :], NONE))
files.append(("kind/hierarchical", base[:2] + b"\xff\xde" + base[sof + 2 : sof + 19] + base[2:], NONE))
files.append(("kind/height_after", base[: sof + 5] + b"\0\0" + base[sof + 7 : -2] + b"\xff\xdc\0\4\0\x11\xff\xd9", NONE))
fractions = bytearray(base)
fractions[sof + 11 : sof + 19 : 3] = b"\x31\x21\x11"
files.append(("kind/fractions", bytes(fractions), NONE))
two = [(m, b[:5] + b"\2" + b[6:12]) if m == 0xC0 else (m, b) for m, b in found]
files.append(("kind/two_channels", joined(two, b"\xff\xda\0\x0a\2" + rest[5:9] + rest[11:]), NONE))

pack.write("grid.z")
