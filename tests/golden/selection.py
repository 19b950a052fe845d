"""Writes selection.json: which samples each rule keeps, by NumPy's argsort.

Run as `python tests/golden/selection.py` with NumPy installed. All scores differ, so that the order does
not depend on how ties are broken.
"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(20250206)
labels = rng.permutation(np.repeat([0, 1, 2], [20, 25, 31]))
scores = rng.permutation(np.arange(len(labels))) * 0.11 + rng.uniform(0, 0.1, len(labels)).round(4)
scores = scores.round(4)
assert len(set(scores)) == len(scores)
keep, start = 8, 0.3

expected = {"easy": [], "hard": [], "window": []}
for c in range(3):
    members = np.flatnonzero(labels == c)
    order = members[np.argsort(scores[members], kind="stable")]
    skip = int(np.floor(start * len(order) + 0.5))
    expected["easy"] += order[:keep].tolist()
    expected["hard"] += order[::-1][:keep].tolist()
    expected["window"] += order[skip:skip + keep].tolist()

pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(
    {"labels": labels.tolist(), "scores": scores.tolist(), "per_class": keep, "start": start,
     "expected": expected}) + "\n")
