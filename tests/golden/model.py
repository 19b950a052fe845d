"""Golden numbers of networks and training, in float64 by PyTorch and torchvision.

    python tests/golden/model.py

writes beside itself `model.json` (logits, gradients, running statistics, training losses) and
`model_*.safetensors` (states as PyTorch saves them). Weights and inputs come from an integer hash that the
Rust tests repeat, so that ResNet-18's 11 million numbers need not be stored.

    python tests/golden/model.py search

says which of a thousand inputs keeps the ReLUs of ResNet-18 with the small stem farthest from zero.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


# Numbers by formula.


def bits(name, count):
    """32 random bits for each place of the tensor called `name`: FNV-1a of the name, then lowbias32."""
    start = 0x811C9DC5
    for byte in name.encode():
        start = (start ^ byte) * 0x01000193 & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 + start) & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ (x >> 16)


def numbers(name, shape, centre=0.0, spread=1.0):
    """float32 numbers, uniform in centre ± spread."""
    u = (bits(name, math.prod(shape)) >> 8).astype(np.float64) / 2**23 - 1
    return torch.from_numpy((centre + spread * u).astype(np.float32).reshape(shape))


def weights(name, shape):
    if len(shape) > 1:
        return numbers(name, shape, 0.0, math.sqrt(6 / math.prod(shape[1:])))
    centred = {"weight": (1.0, 0.25), "bias": (0.0, 0.1), "running_mean": (0.0, 0.1), "running_var": (1.0, 0.25)}
    return numbers(name, shape, *centred[name.rsplit(".")[-1]])


def fill(net):
    state = {k: weights(k, v.shape) if v.is_floating_point() else v for k, v in net.state_dict().items()}
    net.load_state_dict(state)
    return net


# The networks.


def convnet(width, classes, size):
    layers, channels = [], 3
    for _ in range(int(math.log2(size)) - 2):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class ConvNetD(nn.Module):
    """The ConvNet of DC and DSA with instance normalisation and average pooling."""

    def __init__(self, width, classes, size):
        super().__init__()
        layers, channels, depth = [], 3, int(math.log2(size)) - 2
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(width, width), nn.ReLU(), nn.AvgPool2d(2)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width * (size >> depth) ** 2, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def resnet18(stem, classes):
    net = torchvision.models.resnet18(num_classes=classes)
    if stem == "small":
        net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net


def build(config):
    if config["architecture"] == "convnet":
        return convnet(config["width"], config["classes"], config["image_size"])
    if config["architecture"] == "convnet-d":
        return ConvNetD(config["width"], config["classes"], config["image_size"])
    return resnet18(config["stem"], config["classes"])


# One forward and backward pass.


def config(architecture, classes, image_size, stem="imagenet", width=8):
    return dict(architecture=architecture, width=width, stem=stem, classes=classes, image_size=image_size)


def digits(tensor):
    return [float(f"{v:.9g}") for v in tensor.flatten().tolist()]


def sample(tensor):
    """Up to 16 numbers, evenly spread over the flattened tensor."""
    flat = tensor.detach().flatten()
    count = min(16, len(flat))
    return digits(flat[[i * len(flat) // count for i in range(count)]])


def one_pass(config, batch, dtype, source):
    net = fill(build(config)).to(dtype)
    x = numbers(source, (batch, 3, config["image_size"], config["image_size"]), 0.0, 2.0).to(dtype)
    y = torch.arange(batch) * 2 % config["classes"]
    z = net(x)
    F.cross_entropy(z, y).backward()
    gradients = {k: dict(norm=float(f"{p.grad.norm():.9g}"), values=sample(p.grad)) for k, p in net.named_parameters()}
    running = {k: sample(v) for k, v in net.named_buffers() if v.is_floating_point()}
    with torch.no_grad():
        evaluated = net.eval()(x)
    return dict(config=config, input=source, labels=y.tolist(), train_logits=digits(z), eval_logits=digits(evaluated),
                gradients=gradients, running=running)


def nearest(config, batch, sources):
    """For each input, how near to zero the nearest of all values in front of ReLUs is."""
    net, found = fill(build(config)).double(), []
    for relu in (module for module in net.modules() if isinstance(module, nn.ReLU)):
        relu.register_forward_pre_hook(lambda _, values: found.append(values[0].abs().min().item()))
    for source in sources:
        found.clear()
        with torch.no_grad():
            net(numbers(source, (batch, 3, config["image_size"], config["image_size"]), 0.0, 2.0).double())
        yield min(found), source


def spread(a, b):
    """How far plain float32 PyTorch is from float64: what the tolerances of the tests stand against."""
    error = lambda p, q, floor=0.0: max(abs(u - v) for u, v in zip(p, q)) / max(floor, max(map(abs, q)))
    floor = 1e-3 * max(g["norm"] for g in b["gradients"].values())
    return dict(train=error(a["train_logits"], b["train_logits"]), eval=error(a["eval_logits"], b["eval_logits"]),
                gradients=max(error(a["gradients"][k]["values"], g["values"], floor) for k, g in b["gradients"].items()))


# Training.


def philox(counter, key):
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        a, b = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = b >> 32 ^ c1 ^ k0, b & 0xFFFFFFFF, a >> 32 ^ c3 ^ k1, a & 0xFFFFFFFF
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return c0, c1, c2, c3


def order(seed, epoch, n):
    """The order of the samples in an epoch, as `random::permutation` with `Purpose::Shuffle` (2) draws it."""
    stream = (v for block in range(1 << 20) for v in philox((block, epoch, 0, 2 << 16), (seed, 0)))

    def below(n):
        while True:
            product = next(stream) * n
            if product & 0xFFFFFFFF >= (1 << 32) % n:
                return product >> 32

    items = list(range(n))
    for i in range(n - 1, 0, -1):
        j = below(i + 1)
        items[i], items[j] = items[j], items[i]
    return items


def train(optimizer, lr, decay, on, eta_min, dtype, steps=8, horizon=12, images=24, batch=10, seed=5):
    shape = config("convnet", 4, 16)
    net = fill(build(shape)).to(dtype)
    x = torch.from_numpy((bits("pixels", images * 16 * 16 * 3) >> 24).astype(np.uint8)).reshape(images, 16, 16, 3)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).to(dtype), torch.tensor([0.229, 0.224, 0.225]).to(dtype)
    x = ((x.to(dtype) / 255 - mean) / std).permute(0, 3, 1, 2)
    y = torch.arange(images) * 3 % 4
    groups = [dict(params=[p for p in net.parameters() if p.dim() > 1], weight_decay=decay),
              dict(params=[p for p in net.parameters() if p.dim() <= 1], weight_decay=0.0)]
    if on == "all":
        groups = [dict(params=list(net.parameters()), weight_decay=decay)]
    if optimizer == "adamw":
        opt = torch.optim.AdamW(groups, lr, betas=(0.9, 0.999), eps=1e-8)
    else:
        opt = torch.optim.SGD(groups, lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, horizon, eta_min)
    losses, epoch = [], 0
    while len(losses) < steps:
        for b in torch.tensor(order(seed, epoch, images)).split(batch):
            if len(losses) == steps:
                break
            loss = F.cross_entropy(net(x[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
            schedule.step()
            losses.append(loss.item())
        epoch += 1
    return net, dict(config=shape, optimizer=optimizer, lr=lr, weight_decay=decay, decay=on, eta_min=eta_min, steps=steps,
                     horizon=horizon, images=images, batch=batch, seed=seed, losses=[float(f"{v:.9g}") for v in losses])


def rates(lr, horizon, eta_min, steps):
    """What the schedule of `Cosine::Step` comes to after so many steps."""
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, horizon, eta_min)
    found = [lr]
    for _ in range(max(steps)):
        opt.step()
        schedule.step()
        found.append(schedule.get_last_lr()[0])
    return [(step, found[step]) for step in steps]


SMALL_STEM = config("resnet18", 3, 32, "small")


def main():
    # ResNet-18 on inputs where no ReLU or max pool of plain float32 PyTorch decides otherwise than float64:
    # one such flip moves a gradient by a thousandth. 3×3 convolutions in squares round more coarsely, and the small
    # stem has 2.2 million ReLUs. Of inputs 0 to 999 the one below keeps them farthest from zero: 5.0e-6.
    passes = [(config("convnet", 4, 16), 8, "input 0"), (config("convnet-d", 4, 16), 8, "input 0"),
              (config("convnet-d", 3, 20, width=5), 3, "input 0"), (config("resnet18", 3, 64), 4, "input 0"),
              (SMALL_STEM, 4, "input 777")]
    golden = dict(passes=[], runs=[])
    for shape, batch, source in passes:
        exact = one_pass(shape, batch, torch.float64, source)
        print(shape, "float32 differs by", spread(one_pass(shape, batch, torch.float32, source), exact))
        golden["passes"].append(exact)
    for name in ("convnet", "convnet-d"):
        save_file(fill(build(config(name, 4, 16))).state_dict(), HERE / f"model_{name}.safetensors")
    for name, *how in [("adamw", 0.01, 0.5, "weights", 0.0), ("sgd", 0.1, 0.05, "weights", 0.0),
                       ("sgd-all", 0.1, 0.05, "all", 0.02)]:
        net, run = train(name.split("-")[0], *how, torch.float64)
        single, other = train(name.split("-")[0], *how, torch.float32)
        pairs = zip(single.state_dict().values(), net.state_dict().values())
        worst = max(((a.double() - b).abs().max() / b.abs().max()).item() for a, b in pairs)
        losses = max(abs(a - b) for a, b in zip(other["losses"], run["losses"]))
        print(name, [round(v, 4) for v in run["losses"]], "float32 differs by", losses, "and weights by", worst)
        state = {k: v.float() if v.is_floating_point() else v for k, v in net.state_dict().items()}
        save_file(state, HERE / f"model_{name}.safetensors")
        golden["runs"].append(run)
    print("CosineAnnealingLR of the proxy of CCS:", rates(0.1, 2400, 1e-4, (0, 1, 399, 1200, 2400)))
    (HERE / "model.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["search"]:
        print(max(nearest(SMALL_STEM, 4, (f"input {number}" for number in range(1000)))))
    else:
        main()
