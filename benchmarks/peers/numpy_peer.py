"""A benchmark peer: numpy, driven over standard input (the commands are those of blas_peer.cpp, with more ops)."""

import sys
import time

import numpy as np

rng = np.random.default_rng(7)
cache = np.zeros(64 << 20, np.uint8)


def normal(dtype, *shape):
    return rng.standard_normal(shape, np.float32).astype(dtype)


def spd(dtype, n):
    a = normal(dtype, n, n)
    a = np.tril(a) + np.tril(a, -1).T
    a[np.arange(n), np.arange(n)] = 2 * n
    return a


def gemm(dtype, m, n, k, batch=None):
    planes = () if batch is None else (batch,)
    a, b = normal(dtype, *planes, m, k), normal(dtype, *planes, k, n)
    out = np.empty((*planes, m, n), dtype)
    return lambda: np.matmul(a, b, out=out)


def gram(dtype, n, k):
    x = normal(dtype, n, k)
    return lambda: x @ x.T  # numpy calls syrk here


def cholesky_factor(dtype, n):
    a = spd(dtype, n)
    return lambda: np.linalg.cholesky(a)


def eigh(dtype, n):
    a = spd(dtype, n)
    return lambda: np.linalg.eigh(a)


def column_stats(dtype, n, v):
    x = normal(dtype, n, v)
    return lambda: (x.mean(0), x.std(0))


def standardize(dtype, n, v):
    x = normal(dtype, n, v)
    mean, std = x.mean(0), x.std(0)
    return lambda: (x - mean) / std


def pearson_columns(dtype, n, t):
    a, b = normal(dtype, n, t), normal(dtype, n, t)

    def run():
        x, y = a - a.mean(0), b - b.mean(0)
        return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))

    return run


def cosine_matrix(dtype, n, m, d):
    a, b = normal(dtype, n, d), normal(dtype, m, d)

    def run():
        return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T

    return run


def top_k(dtype, n, m, k):
    x = normal(dtype, n, m)

    def run():
        part = np.argpartition(-x, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(x, part, 1)
        order = np.argsort(-values, axis=1)
        return np.take_along_axis(values, order, 1), np.take_along_axis(part, order, 1)

    return run


def elementwise(dtype, n, v):
    a, b = normal(dtype, n, v), normal(dtype, n, v)
    return lambda: a + b


def gather(dtype, n, v, rows):
    x = normal(dtype, n, v)
    index = rng.integers(0, n, rows)
    return lambda: x[index]


def cast(dtype, n, v):
    x = normal(dtype, n, v)
    return lambda: x.astype(np.float16)


OPS = {
    f.__name__: f
    for f in (
        gemm, gram, cholesky_factor, eigh, column_stats, standardize, pearson_columns, cosine_matrix, top_k,
        elementwise, gather, cast,
    )
}  # fmt: skip

print("numpy", np.__version__, flush=True)
call = None
for line in sys.stdin:
    command, *words = line.split()
    if command == "prepare":
        call = None
        make = OPS.get(words[0])
        dtype = {"f32": np.float32, "f64": np.float64}[words[1]]
        call = make and make(dtype, *map(int, words[2:]))
        print("ok" if call else "unsupported", flush=True)
    elif command == "run" and call:
        start = time.perf_counter()
        call()
        print(time.perf_counter() - start, flush=True)
    elif command == "flush":
        cache += 1
        print("ok", flush=True)
    elif command == "quit":
        break
    else:
        print("unsupported", flush=True)
