"""Writes checkpoints with torch.save, and what they hold as raw little-endian files beside them (see torch.test.ts)."""
import collections
import json
import sys
from pathlib import Path

import numpy
import torch

out = Path(sys.argv[1])
torch.manual_seed(0)


def describe(name, state, **options):
    """Saves `state`; lists its tensors by their flattened keys, with their bytes in row-major order."""
    torch.save(state, out / name, **options)
    listed = {}

    def visit(value, path):
        if isinstance(value, torch.Tensor):
            plain = value.detach().contiguous()
            kind = plain.dtype
            raw = plain.view(torch.int16) if kind == torch.bfloat16 else plain
            file = f"{name}.{len(listed)}.raw"
            (out / file).write_bytes(raw.numpy().tobytes())
            listed[path] = {"dtype": str(kind), "shape": list(value.shape), "file": file}
        elif isinstance(value, dict):
            for key, inner in value.items():
                visit(inner, f"{path}.{key}" if path else str(key))
        elif isinstance(value, (list, tuple)):
            for i, inner in enumerate(value):
                visit(inner, f"{path}.{i}" if path else str(i))

    visit(state, "")
    (out / f"{name}.json").write_text(json.dumps(listed))


model = torch.nn.Sequential(
    torch.nn.Linear(7, 5), torch.nn.LayerNorm(5), torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm1d(6)
)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
for parameter in model.parameters():
    parameter.grad = torch.randn_like(parameter)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=10)
optimiser.step()
checkpoint = {
    "epoch": 3,
    "model_state_dict": model.state_dict(),
    "optimizer_state_dict": optimiser.state_dict(),
    "lr_scheduler": schedule.state_dict(),
    "train_losses": [numpy.float64(0.5), numpy.float32(0.25), 1.0, float("nan"), numpy.mean([1, 2])],
    "test_losses": numpy.arange(6.0).reshape(2, 3),
    "lrs": [1e-3, 2e-3],
    "steps": 2**40,
    "milestones": collections.Counter([3, 3, 5]),
    "groups": collections.defaultdict(list, {"a": [1]}),
    "device": torch.device("cpu"),
    "sizes": torch.Size([2, 3]),
    "type": torch.float16,
    "names": {"a", "b"},
}
describe("checkpoint.pth", checkpoint)
describe("legacy.pth", checkpoint, _use_new_zipfile_serialization=False)
describe("protocol4.pth", {"a": {"b": torch.randn(3, 4)}, "n": numpy.int64(3)}, pickle_protocol=4)

types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
types += [torch.int8, torch.uint8, torch.bool]
base = torch.arange(24.0).reshape(4, 6)
views = {
    "types": {str(kind): (torch.randn(5, 3) * 10).to(kind) for kind in types},
    "transposed": base.t(),
    "part": base[1:3, 2:5],
    "steps": base[::2, ::3],
    "permuted": torch.randn(2, 3, 4, 5).permute(3, 1, 0, 2),
    "last": base.reshape(-1)[23:],
    "shared": [base, base.view(6, 4)],
    "scalar": torch.tensor(1.5),
    "empty": torch.empty(0, 3),
    "one row": torch.arange(5).expand(1, 5),
    "parameter": torch.nn.Parameter(torch.randn(2)),
}
describe("views.pth", views)
describe("alone.pt", torch.randn(3))
describe("list.pt", [torch.randn(2), torch.randn(3)])
