"""Milliseconds per training step (forward, backward, AdamW) in PyTorch on the CPU, on one batch that lies ready.

    python benches/peers/step_peer.py --model convnet:32:64 --batch 64 --threads 2

A model is architecture:width:pixels; a ConvNet has floor(log2 pixels) - 2 blocks, as ours.
"""
import argparse, json, statistics, time

import torch
import torch.nn as nn

ap = argparse.ArgumentParser()
ap.add_argument("--model", default="convnet:32:32")
ap.add_argument("--batch", type=int, default=64)
ap.add_argument("--classes", type=int, default=10)
ap.add_argument("--steps", type=int, default=30)
ap.add_argument("--warm-up", type=int, default=5)
ap.add_argument("--threads", type=int, default=2)
a = ap.parse_args()
architecture, width, size = a.model.split(":")
width, size = int(width), int(size)
torch.set_num_threads(a.threads)


def convnet():
    layers, i = [], 3
    for _ in range(size.bit_length() - 3):
        layers += [nn.Conv2d(i, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        i = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, a.classes))


def resnet18():
    import torchvision

    return torchvision.models.resnet18(num_classes=a.classes)


torch.manual_seed(0)
net, ms = {"convnet": convnet, "resnet18": resnet18}[architecture](), {}
for layout in ("nchw", "channels_last"):
    fmt = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    m = net.to(memory_format=fmt)
    opt, loss = torch.optim.AdamW(m.parameters(), 1e-3), nn.CrossEntropyLoss()
    x = torch.randn(a.batch, 3, size, size).to(memory_format=fmt)
    y = torch.arange(a.batch) % a.classes
    times = []
    for k in range(a.warm_up + a.steps):
        t = time.perf_counter()
        opt.zero_grad()
        loss(m(x), y).backward()
        opt.step()
        if k >= a.warm_up:
            times.append(time.perf_counter() - t)
    ms[layout] = round(statistics.median(times) * 1e3, 3)
print(json.dumps(dict(peer="pytorch " + torch.__version__, model=a.model, batch=a.batch, threads=a.threads, ms=ms)))
