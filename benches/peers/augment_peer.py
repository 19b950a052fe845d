"""Images per second of torchvision's training view from u8 in memory: RandomResizedCrop, flip, float, normalise.

    python benches/peers/augment_peer.py --sides 64,224 --threads 2

Three ways of running it, each over `threads` cores: `loader` is a DataLoader with that many workers over u8
tensors, `threads` one process whose PyTorch kernels may use that many threads, `pil` a DataLoader over PIL images
already in memory (what an ImageFolder pipeline does after decoding). Prints one JSON line; the medians of
`--repeat` passes.
"""
import argparse, json, statistics, time

import torch
from PIL import Image
from torchvision import transforms as T

ap = argparse.ArgumentParser()
ap.add_argument("--sides", default="64,224")
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--batch", type=int, default=128)
ap.add_argument("--images", type=int, default=1024)
ap.add_argument("--repeat", type=int, default=3)
a = ap.parse_args()
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Views(torch.utils.data.Dataset):
    def __init__(self, images, view):
        self.images, self.view = images, view

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.view(self.images[i])


def rate(batches, count):
    start, seen = None, 0
    for x in batches:
        if start is None:  # the first batch starts the workers
            start = time.perf_counter()
        else:
            seen += len(x)
    return seen / (time.perf_counter() - start)


result = {}
for side in map(int, a.sides.split(",")):
    torch.manual_seed(0)
    u8 = torch.randint(0, 256, (a.images, 3, side, side), dtype=torch.uint8)
    pil = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in u8[:256]] * (a.images // 256)
    head = [T.RandomResizedCrop(side, antialias=True), T.RandomHorizontalFlip()]
    tensor_view = T.Compose([*head, T.ConvertImageDtype(torch.float32), T.Normalize(MEAN, STD)])
    pil_view = T.Compose([*head, T.ToTensor(), T.Normalize(MEAN, STD)])

    def loader(images, view):
        sets = Views(images, view)
        return torch.utils.data.DataLoader(sets, a.batch, num_workers=a.threads)

    def in_process():
        torch.set_num_threads(a.threads)
        for k in range(0, a.images, a.batch):
            yield torch.stack([tensor_view(x) for x in u8[k : k + a.batch]])

    ways = {
        "loader": lambda: loader(u8, tensor_view),
        "threads": in_process,
        "pil": lambda: loader(pil, pil_view),
    }
    result[side] = {
        name: round(statistics.median(rate(way(), a.images) for _ in range(a.repeat)), 1) for name, way in ways.items()
    }
print(json.dumps(dict(threads=a.threads, batch=a.batch, images_per_second=result)))
