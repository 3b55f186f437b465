"""A benchmark peer: PyTorch, driven over standard input (the commands are those of blas_peer.cpp, with the ops of
networks). Options of a shape follow its extents as name=value; one that is not known makes the op unsupported."""

import os
import sys
import time

import torch
from torch.nn import functional as F

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(7)

ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "silu": F.silu,
    "gelu_erf": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_quick": lambda x: x * torch.sigmoid(1.702 * x),
}


def linear(dtype, m, n, k, weights="f32", bias=False, residual=False, activation="none"):
    # Half-precision products on the CPU round their sums: the peer computes in the type of x, as its users do.
    x, w = torch.randn(m, k, dtype=dtype), torch.randn(n, k, dtype=dtype)
    b = torch.randn(n, dtype=dtype) if bias else None
    r = torch.randn(m, n, dtype=dtype) if residual else None
    f = ACTIVATIONS[activation]

    def run():
        y = f(F.linear(x, w, b))
        return y if r is None else y.add_(r)

    return run


def attention(dtype, b, h, n, m, d, cosine=False, shared=False, nullKey=False, bias=False):
    keys = m + nullKey
    q = torch.randn(b, h, n, d, dtype=dtype)
    k, v = (torch.randn(b, 1 if shared else h, keys, d, dtype=dtype) for _ in range(2))
    added = torch.randn(h, n, keys, dtype=dtype) if bias else None
    scale = 16 if cosine else d**-0.5

    def run():
        left, right = (F.normalize(q, dim=-1), F.normalize(k, dim=-1)) if cosine else (q, k)
        logits = torch.matmul(left * scale, right.transpose(-1, -2))
        if added is not None:
            logits += added
        return torch.matmul(torch.softmax(logits, -1), v)

    return run


OPS = {f.__name__: f for f in (linear, attention)}


def value_of(text):
    return {"true": True, "false": False}.get(text, text)


print("torch", torch.__version__, flush=True)
call = None
with torch.no_grad():
    for line in sys.stdin:
        command, *words = line.split()
        if command == "prepare":
            call = None
            make = OPS.get(words[0])
            dtype = {"f32": torch.float32, "f64": torch.float64}[words[1]]
            extents = [int(word) for word in words[2:] if "=" not in word]
            options = dict(word.split("=", 1) for word in words[2:] if "=" in word)
            try:
                call = make and make(dtype, *extents, **{name: value_of(text) for name, text in options.items()})
            except (TypeError, KeyError):
                call = None
            print("ok" if call else "unsupported", flush=True)
        elif command == "run" and call:
            start = time.perf_counter()
            call()
            print(time.perf_counter() - start, flush=True)
        elif command == "quit":
            break
        else:
            print("unsupported", flush=True)
