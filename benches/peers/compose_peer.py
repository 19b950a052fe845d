"""Source images per second of composing with Pillow, as RDED does: decode, shrink, paste four into one, save as PNG.

    python benches/peers/compose_peer.py --data imagenet1k-sample256/train --processes 1 --size 224
"""
import argparse, glob, io, json, multiprocessing, os, time

from PIL import Image

ap = argparse.ArgumentParser()
ap.add_argument("--data", required=True)
ap.add_argument("--size", type=int, default=224)
ap.add_argument("--processes", type=int, default=1)
ap.add_argument("--images", type=int, default=1000)
a = ap.parse_args()
half = a.size // 2


def compose(four):
    comp = Image.new("RGB", (a.size, a.size))
    for q, path in enumerate(four):
        y, x = divmod(q, 2)
        comp.paste(Image.open(path).convert("RGB").resize((half, half), Image.BILINEAR), (x * half, y * half))
    file = io.BytesIO()
    comp.save(file, "PNG")
    return file.tell()


files = sorted(glob.glob(os.path.join(a.data, "*", "*")))[: a.images // 4 * 4]
fours = [files[k : k + 4] for k in range(0, len(files) - 3, 4)]
if a.processes == 1:
    compose(fours[0])  # plugins are loaded
    t = time.perf_counter()
    sizes = [compose(four) for four in fours]
else:
    with multiprocessing.Pool(a.processes) as pool:
        pool.map(compose, fours[: 4 * a.processes], chunksize=1)  # processes are up
        t = time.perf_counter()
        sizes = pool.map(compose, fours, chunksize=4)
rate = len(files) / (time.perf_counter() - t)
print(json.dumps(dict(peer="Pillow", processes=a.processes, size=a.size, images_per_second=round(rate, 1), bytes_per_png=sum(sizes) // len(sizes))))
