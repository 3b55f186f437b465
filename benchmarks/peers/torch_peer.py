"""A benchmark peer: PyTorch, driven over standard input (the commands are those of blas_peer.cpp, with the ops of
networks). Options of a shape follow its extents as name=value; one that is not known makes the op unsupported."""

import math
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


class Prior:
    """Transformer of the diffusion prior of MindEye1 and MindEye2 as the published program evaluates it: every token in every
    layer, position biases computed anew, of which the image tokens' outputs are kept."""

    BUCKETS, FARTHEST, ROTARY, SCALE = 32, 128, 32, 16

    def __init__(self, weights, dim, depth, heads, head_dim, tokens):
        self.w, self.dim, self.depth, self.heads, self.head_dim, self.tokens = weights, dim, depth, heads, head_dim, tokens

    @staticmethod
    def random(dim, depth, heads, head_dim, tokens, dtype=torch.float32):
        w = {}

        def matrix(name, rows, cols):
            w[name] = torch.randn(rows, cols, dtype=dtype) * cols**-0.5

        matrix("learned_query", tokens, dim)
        for name, rows, cols in (("0.0", 2 * dim, dim), ("1.0", 2 * dim, 2 * dim), ("2", dim, 2 * dim)):
            matrix(f"to_time_embeds.0.1.net.{name}.weight", rows, cols)
            w[f"to_time_embeds.0.1.net.{name}.bias"] = torch.zeros(rows, dtype=dtype)
        matrix("causal_transformer.rel_pos_bias.relative_attention_bias.weight", Prior.BUCKETS, heads)
        for i in range(depth):
            layer = f"causal_transformer.layers.{i}."
            matrix(layer + "0.null_kv", 2, head_dim)
            matrix(layer + "0.to_q.weight", heads * head_dim, dim)
            matrix(layer + "0.to_kv.weight", 2 * head_dim, dim)
            matrix(layer + "0.to_out.0.weight", dim, heads * head_dim)
            matrix(layer + "1.1.weight", 8 * dim, dim)
            matrix(layer + "1.5.weight", dim, 4 * dim)
            for gain in ("0.norm.g", "0.to_out.1.g", "1.0.g"):
                w[layer + gain] = torch.ones(dim, dtype=dtype)
        w["causal_transformer.norm.g"] = torch.ones(dim, dtype=dtype)
        matrix("causal_transformer.project_out.weight", dim, dim)
        return Prior(w, dim, depth, heads, head_dim, tokens)

    def norm(self, x, name):
        return F.layer_norm(x, (self.dim,), self.w[name])

    def time(self, t):
        half = self.dim // 2
        steps = torch.arange(half, dtype=torch.float32) / (half - 1)
        angles = t[:, None].float() * torch.exp(-steps * math.log(10000.0))
        x = torch.cat((angles.sin(), angles.cos()), -1)
        net = "to_time_embeds.0.1.net."
        for name in ("0.0", "1.0"):
            x = F.silu(F.linear(x, self.w[f"{net}{name}.weight"], self.w[f"{net}{name}.bias"]))
        return F.linear(x, self.w[net + "2.weight"], self.w[net + "2.bias"])

    def bias(self, n):
        # T5's buckets of one direction: half of them exact, the others by the logarithm.
        far = (torch.arange(n)[:, None] - torch.arange(n + 1)[None]).clamp(min=0)
        exact = self.BUCKETS // 2
        grown = torch.log(far.clamp(min=1).float() / exact) / math.log(self.FARTHEST / exact)
        large = (exact + (grown * (self.BUCKETS - exact)).long()).clamp(max=self.BUCKETS - 1)
        table = self.w["causal_transformer.rel_pos_bias.relative_attention_bias.weight"]
        return table[torch.where(far < exact, far, large)].permute(2, 0, 1)

    def turn(self, x):
        frequencies = 10000.0 ** (-torch.arange(0, self.ROTARY, 2).float() / self.ROTARY)
        angles = torch.arange(x.shape[-2])[:, None].float() * frequencies
        cos, sin = angles.cos(), angles.sin()
        left, right = x[..., : self.ROTARY], x[..., self.ROTARY :]
        even, odd = left[..., 0::2], left[..., 1::2]
        turned = torch.stack((even * cos - odd * sin, odd * cos + even * sin), -1).flatten(-2)
        return torch.cat((turned, right), -1)

    def attend(self, x, layer, bias):
        b, n, _ = x.shape
        x = self.norm(x, layer + "0.norm.g")
        q = F.linear(x, self.w[layer + "0.to_q.weight"]).view(b, n, self.heads, self.head_dim).transpose(1, 2)
        k, v = F.linear(x, self.w[layer + "0.to_kv.weight"]).chunk(2, -1)
        null = self.w[layer + "0.null_kv"]
        k = torch.cat((null[0].expand(b, 1, -1), self.turn(k)), 1)
        v = torch.cat((null[1].expand(b, 1, -1), v), 1)
        q, k = F.normalize(self.turn(q), dim=-1), F.normalize(k, dim=-1)
        # Keys and values are one for all heads: heads and queries are rows of one product.
        logits = torch.matmul(q.reshape(b, self.heads * n, -1), k.transpose(1, 2)).view(b, self.heads, n, n + 1)
        weights = torch.softmax(logits * self.SCALE + bias, -1)
        y = torch.matmul(weights.view(b, self.heads * n, n + 1), v).view(b, self.heads, n, -1)
        y = F.linear(y.transpose(1, 2).reshape(b, n, -1), self.w[layer + "0.to_out.0.weight"])
        return self.norm(y, layer + "0.to_out.1.g")

    def feed_forward(self, x, layer):
        x, gate = F.linear(self.norm(x, layer + "1.0.g"), self.w[layer + "1.1.weight"]).chunk(2, -1)
        return F.linear(x * F.silu(gate), self.w[layer + "1.5.weight"])

    def __call__(self, image, brain, t):
        x = torch.cat((brain, self.time(t)[:, None], image + self.w["learned_query"]), 1)
        bias = self.bias(x.shape[1])
        for i in range(self.depth):
            layer = f"causal_transformer.layers.{i}."
            x = self.attend(x, layer, bias) + x
            x = self.feed_forward(x, layer) + x
        x = self.norm(x / x.amax(-1, keepdim=True), "causal_transformer.norm.g")
        return F.linear(x, self.w["causal_transformer.project_out.weight"])[:, -self.tokens :]


def prior(dtype, dim, depth, heads, head_dim, tokens):
    network = Prior.random(dim, depth, heads, head_dim, tokens, dtype)
    image, brain = torch.randn(2, 1, tokens, dim, dtype=dtype)
    t = torch.tensor([50])
    return lambda: network(image, brain, t)


OPS = {f.__name__: f for f in (linear, attention, prior)}


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
