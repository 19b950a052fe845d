"""Milliseconds per training step (forward, backward, AdamW) in PyTorch, on one batch that lies ready.

    python benches/peers/step_peer.py --model convnet:32:64 --batch 64 --threads 2
    python benches/peers/step_peer.py --model resnet18:0:224 --batch 128 --device cuda --precision bf16 --compile

`f32` is that of every bit, `tf32` what tensor cores make of 32-bit operands, `bf16` autocast. With --ceiling: the TFLOP/s
that a large matrix product reaches in a precision. A model is architecture:width:pixels; a ConvNet and a ConvNet-D have
floor(log2 pixels) - 2 blocks, as ours. With --students N: the seconds that N networks take, one after the other, from their
first step to their last, with channels last.
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
ap.add_argument("--device", default="cpu", help="cpu or cuda")
ap.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"])
ap.add_argument("--compile", action="store_true")
ap.add_argument("--ceiling", type=int, metavar="SIDE", help="of the matrices")
a = ap.parse_args()
architecture, width, size = a.model.split(":")
width, size = int(width), int(size)
torch.set_num_threads(a.threads)
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = a.precision == "tf32"
torch.backends.cudnn.benchmark = True


def wait():
    if a.device == "cuda":
        torch.cuda.synchronize()


def convnet():
    layers, i = [], 3
    for _ in range(size.bit_length() - 3):
        layers += [nn.Conv2d(i, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        i = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, a.classes))


def convnet_d():
    layers, i, depth = [], 3, size.bit_length() - 3
    for _ in range(depth):
        layers += [nn.Conv2d(i, width, 3, padding=1), nn.GroupNorm(width, width), nn.ReLU(), nn.AvgPool2d(2)]
        i = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * (size >> depth) ** 2, a.classes))


def resnet18():
    import torchvision

    return torchvision.models.resnet18(num_classes=a.classes)


def batch(fmt):
    x = torch.randn(a.batch, 3, size, size, device=a.device).to(memory_format=fmt)
    return x, torch.arange(a.batch, device=a.device) % a.classes


def seconds(m, steps, fmt):
    """Seconds of each step."""
    opt, loss, (x, y) = torch.optim.AdamW(m.parameters(), 1e-3), nn.CrossEntropyLoss(), batch(fmt)
    forward, times = torch.compile(m) if a.compile else m, []
    for _ in range(steps):
        t = time.perf_counter()
        opt.zero_grad()
        with torch.autocast(a.device, torch.bfloat16, enabled=a.precision == "bf16"):
            l = loss(forward(x), y)
        l.backward()
        opt.step()
        wait()
        times.append(time.perf_counter() - t)
    return times


def ceiling(side):
    """TFLOP/s of the quickest of twenty products of square matrices."""
    kind = torch.bfloat16 if a.precision == "bf16" else torch.float32
    x, y = torch.randn(2, side, side, device=a.device, dtype=kind)
    times = []
    for _ in range(20):
        wait()
        t = time.perf_counter()
        x @ y
        wait()
        times.append(time.perf_counter() - t)
    return 2 * side**3 / min(times) / 1e12


torch.manual_seed(0)
make = {"convnet": convnet, "convnet-d": convnet_d, "resnet18": resnet18}[architecture]
about = dict(peer="pytorch " + torch.__version__, model=a.model, batch=a.batch, threads=a.threads)
if a.device == "cuda":
    about["gpu"] = torch.cuda.get_device_name()
if a.ceiling:
    print(json.dumps(dict(**about, tflops=ceiling(a.ceiling))))
elif a.students:
    start = time.perf_counter()
    for _ in range(a.students):
        seconds(make().to(memory_format=torch.channels_last), a.steps, torch.channels_last)
    print(json.dumps(dict(**about, students=a.students, seconds=time.perf_counter() - start)))
else:
    net, ms = make(), {}
    for layout in ("nchw", "channels_last"):
        fmt = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        times = seconds(net.to(a.device, memory_format=fmt), a.warm_up + a.steps, fmt)[a.warm_up :]
        ms[layout] = round(statistics.median(times) * 1e3, 3)
    print(json.dumps(dict(**about, ms=ms)))
