"""Milliseconds per training step (forward, backward, AdamW) in PyTorch on the CPU, on one batch that lies ready.

    python benches/peers/step_peer.py --model convnet:32:64 --batch 64 --threads 2

A model is architecture:width:pixels; a ConvNet has floor(log2 pixels) - 2 blocks, as ours. With --students N: the seconds
that N networks take, one after the other, from their first step to their last, with channels last.
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
ap.add_argument("--students", type=int)
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




def batch(fmt):
    x = torch.randn(a.batch, 3, size, size).to(memory_format=fmt)
    return x, torch.arange(a.batch) % a.classes


def seconds(m, steps, fmt):
    """Seconds of each step."""
    opt, loss, (x, y) = torch.optim.AdamW(m.parameters(), 1e-3), nn.CrossEntropyLoss(), batch(fmt)
    times = []
    for _ in range(steps):
        t = time.perf_counter()
        opt.zero_grad()
        loss(m(x), y).backward()
        opt.step()
        times.append(time.perf_counter() - t)
    return times


torch.manual_seed(0)
make = {"convnet": convnet, "resnet18": resnet18}[architecture]
about = dict(peer="pytorch " + torch.__version__, model=a.model, batch=a.batch, threads=a.threads)
if a.students:
    start = time.perf_counter()
    for _ in range(a.students):
        seconds(make().to(memory_format=torch.channels_last), a.steps, torch.channels_last)
    print(json.dumps(dict(**about, students=a.students, seconds=time.perf_counter() - start)))
else:
    net, ms = make(), {}
    for layout in ("nchw", "channels_last"):
        fmt = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        times = seconds(net.to(memory_format=fmt), a.warm_up + a.steps, fmt)[a.warm_up :]
        ms[layout] = round(statistics.median(times) * 1e3, 3)
    print(json.dumps(dict(**about, ms=ms)))
