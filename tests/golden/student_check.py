"""Loads networks that tilepress saved into their PyTorch twins, strictly, and compares their answers.

    TILEPRESS_SAVE_STUDENT=FOLDER cargo test --lib a_saved_network
    python tests/golden/student_check.py FOLDER
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

from model import build, numbers

files = sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors"))
assert files, "no saved network there"
for file in files:
    about = json.loads(file.with_suffix(".json").read_text())
    net, state = build(about["config"]), load_file(file)
    net.load_state_dict(state, strict=True)
    side, classes = about["config"]["image_size"], about["config"]["classes"]
    want = torch.tensor(about["eval_logits"]).reshape(-1, classes)
    with torch.no_grad():
        got = net.eval()(numbers(about["input"], (len(want), 3, side, side), 0.0, 2.0))
    error = ((got - want).abs().max() / want.abs().max()).item()
    print(f"{file.name}: {len(state)} tensors loaded, logits {error:.1e} apart")
    assert error < 1e-5
