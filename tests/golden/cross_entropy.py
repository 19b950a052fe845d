"""Golden numbers of softmax cross-entropy and its gradient, in float64 by PyTorch.

    python tests/golden/cross_entropy.py > tests/golden/cross_entropy.json
"""
import json

import torch

torch.manual_seed(0)
cases = []
for batch, classes, scale in [(1, 2, 1.0), (5, 2, 30.0), (7, 10, 3.0), (3, 100, 10.0), (2, 1000, 5.0), (4, 10, 1e4), (3, 10, 0.0)]:
    z = (torch.randn(batch, classes) * scale).float()
    y = torch.randint(classes, (batch,))
    up = torch.randn(batch).float()
    zd = z.double().requires_grad_()
    loss = torch.nn.functional.cross_entropy(zd, y, reduction="none")
    (loss * up.double()).sum().backward()
    r = lambda t: [float(f"{v:.9g}") for v in t]
    cases.append(dict(logits=[r(v) for v in z.tolist()], labels=y.tolist(), upstream=r(up.tolist()),
                      loss=r(loss.tolist()), gradient=[r(v) for v in zd.grad.tolist()]))
print(json.dumps(cases))
