"""Archives of small image files and the pixels that they should have, read by ../../src/data/decode/grid.rs.

One zlib stream of little-endian numbers: count of files; for each its name and bytes (each with its length before it) and the
number of its picture; count of pictures; for each width, height and RGB bytes. A file without pixels has the picture 2**32 - 1.
"""
import pathlib, struct, sys, zlib

NONE = 2**32 - 1


class Pack:
    def __init__(self):
        self.files, self.pictures, self.known = [], [], {}

    def picture(self, rgb):
        key = (rgb.shape, rgb.tobytes())
        if key not in self.known:
            self.known[key] = len(self.pictures)
            self.pictures.append(rgb)
        return self.known[key]

    def write(self, name):
        """Into ../data/decode; and the files themselves into the folder named on the command line."""
        out = bytearray(struct.pack("<I", len(self.files)))
        for label, data, number in self.files:
            out += struct.pack("<I", len(label)) + label.encode() + struct.pack("<I", len(data)) + data + struct.pack("<I", number)
        out += struct.pack("<I", len(self.pictures))
        for rgb in self.pictures:
            out += struct.pack("<II", rgb.shape[1], rgb.shape[0]) + rgb.tobytes()
        packed = zlib.compress(bytes(out), 9)
        (pathlib.Path(__file__).parent.parent / "data" / "decode" / name).write_bytes(packed)
        print(len(self.files), "files,", len(self.pictures), "pictures,", len(packed), "bytes of", len(out))
        if len(sys.argv) > 1:
            for label, data, _ in self.files:
                (pathlib.Path(sys.argv[1]) / label.replace("/", "__")).write_bytes(data)
