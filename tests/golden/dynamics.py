"""Writes dynamics.json: training dynamics of one sample from its logits, by two other implementations.

Run as `python tests/golden/dynamics.py` with PyTorch and mpmath installed.

- `torch`: PyTorch in float64, written as in data_diet (softmax minus one-hot, then the norm). It is
  right to about 1e-16 in absolute terms, so it cannot tell 1e-35 from 0.
- `exact`: the definitions in 60-digit arithmetic (mpmath), rounded to float64 at the end. It is right in
  relative terms however small the number is.

The values of each are [p_label, p_other, el2n, entropy, loss, correct].
Logits are multiples of 1/8 (or short powers of two), so that float32 holds them exactly.
"""

import json
import pathlib

import mpmath
import torch

mpmath.mp.dps = 60


def by_torch(logits, label):
    z = torch.tensor(logits, dtype=torch.float64)
    p = torch.softmax(z, 0)
    onehot = torch.nn.functional.one_hot(torch.tensor(label), len(logits)).double()
    others = p.clone()
    others[label] = -1
    entropy = torch.special.entr(p).sum()
    loss = torch.nn.functional.cross_entropy(z[None], torch.tensor([label]))
    correct = int(z.argmax()) == label
    return [p[label].item(), others.max().item(), torch.linalg.vector_norm(p - onehot).item(),
            entropy.item(), loss.item(), correct]


def by_mpmath(logits, label):
    z = [mpmath.mpf(v) for v in logits]
    total = mpmath.fsum(mpmath.exp(v) for v in z)
    p = [mpmath.exp(v) / total for v in z]
    other = max(v for j, v in enumerate(p) if j != label)
    # 60 digits lose the tail of 1 - p_y for gaps beyond 130 or so: take it from the others.
    missing = mpmath.fsum(v for j, v in enumerate(p) if j != label)
    el2n = mpmath.sqrt(missing**2 + mpmath.fsum(v**2 for j, v in enumerate(p) if j != label))
    top = logits.index(max(logits))
    rest = mpmath.fsum(mpmath.exp(v - z[top]) for j, v in enumerate(z) if j != top)
    loss = z[top] - z[label] + mpmath.log1p(rest)
    entropy = mpmath.fsum(v * (z[top] - w + mpmath.log1p(rest)) for v, w in zip(p, z))
    return [float(p[label]), float(other), float(el2n), float(entropy), float(loss), top == label]


def cases():
    generator = torch.Generator().manual_seed(20250206)
    for classes in [2, 3, 10, 100, 1000]:
        for scale in [1.0, 8.0]:
            z = (torch.randn(classes, generator=generator) * scale * 8).round() / 8
            label = int(torch.randint(classes, (), generator=generator))
            yield f"{classes} classes, scale {scale:g}", z.tolist(), label
            yield f"{classes} classes, scale {scale:g}, the label wins", z.tolist(), int(z.argmax())
        yield f"{classes} equal logits, first label", [0.5] * classes, 0
        yield f"{classes} equal logits, last label", [0.5] * classes, classes - 1
        gap = [0.0] * classes
        gap[classes // 2] = 80.0
        yield f"{classes} classes, gap of 80 for the label", gap, classes // 2
        yield f"{classes} classes, gap of 80 against the label", gap, (classes // 2 + 1) % classes
        extreme = [1e4 if j % 2 else -1e4 for j in range(classes)]
        yield f"{classes} classes, +-1e4, the label is high", extreme, 1
        yield f"{classes} classes, +-1e4, the label is low", extreme, 0
    yield "largest float32 values", [2.0**127, -(2.0**127), 0.0], 0
    yield "a gap float32 probabilities cannot see", [0.0, 17.0, -3.0], 1
    yield "a gap float64 probabilities cannot see", [-40.0, 0.0, -41.5], 1


out = []
for name, logits, label in cases():
    torch_values, exact = by_torch(logits, label), by_mpmath(logits, label)
    for a, b in zip(torch_values, exact):
        assert abs(a - b) <= 1e-12 * max(1.0, abs(b)), (name, torch_values, exact)
    compact = [int(v) if v == int(v) else v for v in logits]
    out.append({"name": name, "logits": compact, "label": label, "torch": torch_values, "exact": exact})

path = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in out)
path.write_text(f"[\n{lines}\n]\n")
print(f"{len(out)} cases, {path.stat().st_size} bytes")
