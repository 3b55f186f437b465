"""PyTorch on a GPU at the shapes of a script, as a peer: rows of results beside those of f2i_replay.

    python3 torch_cuda.py SHAPES.script --out ROWS.jsonl [--only REGEX] [--seconds S]

CUDA events around many calls; cold: operands rotate through a gigabyte. Inputs are random normals. What PyTorch chose for
attention is named in the row; a head dimension that its fast kernels do not take is measured padded to a multiple of 8 as well.
Errors are against float64 on the processor or, where that is long, on the GPU."""

import argparse
import datetime
import json
import os
import re
import statistics

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "f64": torch.float64}
ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "silu": F.silu,
    "gelu_erf": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_quick": lambda x: x * torch.sigmoid(1.702 * x),
}
COLD_BYTES = 1 << 30


def cases(path):
    """The facts of each case of a script: op, shape, dtype, about, flops, bytes."""
    facts = {}
    with open(path) as lines:
        for line in lines:
            words = line.rstrip("\n").split(" ", 2)
            if words[0] == "case":
                facts = {"name": line[5:].strip()}
            elif words[0] == "fact":
                facts[words[1]] = json.loads(words[2])
            elif words[0] == "end":
                yield facts


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, device="cuda")


def gemm(g, m, n, k, batch=None):
    if batch is None:
        return [normal(g, m, k), normal(g, k, n)], torch.matmul
    return [normal(g, batch, m, k), normal(g, batch, k, n)], torch.bmm


def linear(g, m, n, k, weights="f32", bias=False, residual=False, activation="none"):
    given = [normal(g, m, k), normal(g, n, k)] + [normal(g, n)] * bool(bias) + [normal(g, m, n)] * bool(residual)

    def run(x, w, *rest):
        y = ACTIVATIONS[activation](F.linear(x, w, rest[0] if bias else None))
        return y + rest[-1] if residual else y

    return given, run


def attention(g, b, h, n, m, d, cosine=False, shared=False, nullKey=False, bias=False):
    keys = m + bool(nullKey)
    heads = 1 if shared else h
    given = [normal(g, b, h, n, d), normal(g, b, heads, keys, d), normal(g, b, heads, keys, d)]
    given += [normal(g, 1, h, n, keys)] * bool(bias)

    def run(q, k, v, added=None, padded=0):
        if cosine:
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        if padded:
            q, k, v = (F.pad(each, (0, padded)) for each in (q, k, v))
        k, v = (each.expand(b, h, keys, d + padded) for each in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=16 if cosine else d**-0.5)
        return y[..., :d]

    return given, run


def conv2d(g, b, c, h, w, o, k, stride, padding, bias=False, activation="none"):
    given = [normal(g, b, c, h, w), normal(g, o, c, k, k)] + [normal(g, o)] * bool(bias)
    return given, lambda x, weight, s=None: ACTIVATIONS[activation](F.conv2d(x, weight, s, stride, padding))


def softmax(g, n, m):
    return [normal(g, n, m)], lambda x: torch.softmax(x, -1)


def layer_norm(g, n, c, gain=False, bias=False, activation="none"):
    given = [normal(g, n, c)] + [normal(g, c)] * (bool(gain) + bool(bias))
    return given, lambda x, w=None, s=None: ACTIVATIONS[activation](F.layer_norm(x, x.shape[-1:], w, s))


def group_norm(g, b, c, h, w, groups, activation="none"):
    given = [normal(g, b, c, h, w), normal(g, c), normal(g, c)]
    return given, lambda x, gain, shift: ACTIVATIONS[activation](F.group_norm(x, groups, gain, shift))


def activation(g, n, v, kind):
    return [normal(g, n, v)], ACTIVATIONS[kind]


def elementwise(g, n, v):
    return [normal(g, n, v), normal(g, n, v)], torch.add


def column_stats(g, n, v):
    return [normal(g, n, v)], lambda x: torch.stack(torch.var_mean(x, 0, correction=0)[::-1])


def standardize(g, n, v):
    return [normal(g, n, v), normal(g, v), normal(g, v).abs() + 0.5], lambda x, mean, std: (x - mean) / std


def cosine_matrix(g, n, m, d):
    return [normal(g, n, d), normal(g, m, d)], lambda a, b: F.normalize(a) @ F.normalize(b).T


def gram(g, n, k):
    return [normal(g, n, k)], lambda x: x @ x.T


def cholesky_factor(g, n):
    x = normal(g, n, n)
    return [(x + x.T) / 2 + 2 * n * torch.eye(n, device="cuda")], torch.linalg.cholesky


def triangle(g, n):
    return torch.tril(normal(g, n, n), -1) / n**0.5 + 2 * torch.eye(n, device="cuda")


def triangular_solve(g, n, t):
    return [triangle(g, n), normal(g, n, t)], lambda l, b: torch.linalg.solve_triangular(l, b, upper=False)


def cholesky_solve(g, n, t):
    return [triangle(g, n), normal(g, n, t)], lambda l, b: torch.cholesky_solve(b, l)


def top_k(g, n, m, k):
    return [normal(g, n, m)], lambda x: torch.topk(x, k).values


def permute(g, b, n, h, d):
    return [normal(g, b, n, h, d)], lambda x: x.permute(0, 2, 1, 3).contiguous()


def concat(g, b, c, d, s):
    return [normal(g, b, c, s), normal(g, b, d, s)], lambda x, y: torch.cat((x, y), 1)


OPS = {
    f.__name__: f
    for f in (
        *(gemm, linear, attention, conv2d, softmax, layer_norm, group_norm, activation, elementwise, column_stats),
        *(standardize, cosine_matrix, gram, cholesky_factor, triangular_solve, cholesky_solve, top_k, permute, concat),
    )
}
ROUNDED = ("gemm", "linear", "conv2d", "attention")


def timing(seconds):
    ordered = sorted(seconds)
    low, mid, high = statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {"samples": len(ordered), "min": ordered[0], "p50": mid, "p95": p95, "noisePercent": 100 * (high - low) / mid}


def measure(run, copies, budget, samples=10):
    """Seconds of a call, by events around many of them."""

    def sample(calls):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for i in range(calls):
            run(*copies[i % len(copies)])
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) / 1e3 / calls

    sample(2)
    calls = max(1, min(1000, int(budget / 20 / max(sample(1), 1e-7))))
    return timing([sample(calls) for _ in range(samples)])


def backend_of(run, given):
    """The fused attention that PyTorch would choose, by asking each alone in its order of preference."""
    for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        try:
            with sdpa_kernel(backend):
                run(*given)
            return backend.name.lower().replace("_attention", "")
        except RuntimeError:
            continue
    return "math"


def error_of(run, given, found, flops):
    """Largest difference from float64 over the largest entry."""
    place = "cpu" if flops < 2e11 else "cuda"
    expected = run(*(each.to(place, torch.float64) for each in given)).to("cuda")
    return ((found.double() - expected).abs().max() / expected.abs().max()).item(), f"f64 of PyTorch on {place}"


def rows(case, options):
    make = OPS.get(case["op"])
    if make is None or case["dtype"] not in ("f32", "f64"):
        return
    precisions = ("f32", "tf32", "bf16", "f16") if case["op"] in ROUNDED and case["dtype"] == "f32" else (case["dtype"],)
    for precision in precisions:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        generator = torch.Generator("cuda").manual_seed(1)
        given, run = make(generator, **case["shape"])
        given = [each.to(TYPES[precision]) for each in given]
        variants = [("PyTorch", run)]
        if case["op"] == "attention":
            variants = [(f"PyTorch, {backend_of(run, given)}", run)]
            padded = -case["shape"]["d"] % 8
            if padded:
                wide = lambda *each, run=run, padded=padded: run(*each, padded=padded)  # noqa: E731
                variants.append((f"PyTorch padded to {case['shape']['d'] + padded}, {backend_of(wide, given)}", wide))
        for impl, each in variants:
            found = each(*given)
            moved = sum(x.numel() * x.element_size() for x in (*given, found))
            error, oracle = error_of(run, given, found, case["flops"])
            copies = [given] + [[x.clone() for x in given] for _ in range(min(63, COLD_BYTES // moved - 1))]
            cold, warm = measure(each, copies, options.seconds), measure(each, copies[:1], options.seconds)
            yield {
                **{key: case[key] for key in ("op", "shape", "dtype", "about")},
                **{"precision": precision, "impl": impl, "version": torch.__version__, "backend": "cuda"},
                **{"cold": cold, "warm": warm, "copies": len(copies), "clock": "CUDA events"},
                **{"gflops": case["flops"] / cold["p50"] / 1e9, "gbs": moved / cold["p50"] / 1e9},
                **{"error": error, "oracle": oracle, "passed": error < 0.5, "device": torch.cuda.get_device_name()},
                **({"machine": os.environ["F2I_MACHINE"]} if os.environ.get("F2I_MACHINE") else {}),
                "commit": os.environ.get("F2I_COMMIT", "unknown"),
                "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default=".*")
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    with torch.no_grad():
        for case in cases(options.script):
            if not re.search(options.only, case["name"]):
                continue
            try:
                for row in rows(case, options):
                    with open(options.out, "a") as out:
                        out.write(json.dumps(row) + "\n")
                    print(row["op"], row["shape"], row["precision"], row["impl"], f"{row['cold']['p50'] * 1e3:.3f} ms", flush=True)
            except (RuntimeError, TypeError) as error:
                print("no row for", case["name"], "-", str(error).split("\n")[0], flush=True)
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
