"""Images per second of the usual Python data path: Pillow and torchvision under a DataLoader.

    python benches/peers/loader_peer.py --data imagenet1k-sample256/train --workers 2

`loader` reads, decodes, brings the short side to 256, cuts out 224 x 224 and normalises; `decode` only decodes.
"""
import argparse, json, time

import numpy as np
import torch
from torchvision import datasets, transforms as T

ap = argparse.ArgumentParser()
ap.add_argument("--data", required=True)
ap.add_argument("--workers", type=int, default=2)
ap.add_argument("--repeat", type=int, default=3, help="passes over the files in one measurement")
a = ap.parse_args()
norm = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
work = {
    "decode": lambda im: torch.from_numpy(np.asarray(im).copy()).sum(),
    "loader": T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), norm]),
}
out = {}
for name, tf in work.items():
    ds = datasets.ImageFolder(a.data, tf)
    dl = torch.utils.data.DataLoader(torch.utils.data.ConcatDataset([ds] * a.repeat), 64, num_workers=a.workers)
    it = iter(dl)
    next(it)  # workers are up
    t, n = time.perf_counter(), 0
    for x, _ in it:
        n += len(x)
    out[name] = round(n / (time.perf_counter() - t), 1)
print(json.dumps(dict(peer="torchvision, Pillow", workers=a.workers, images_per_second=out)))
