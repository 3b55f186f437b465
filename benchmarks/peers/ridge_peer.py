"""A benchmark peer: ridge regression as others do it, driven over standard input. One line a command, one line an answer:

  prepare FOLDER TOKENS   loads x.npy [n, p], y.npy [n, tokens values], test.npy [m, p]        -> ok
  run CASE JSON           fits with the settings in JSON and predicts the test rows           -> seconds | unsupported
  save CASE FILE          what the last run of the case found, as npy                         -> ok
  token JSON              one token of a problem on disk: files, width, alpha, dtype          -> seconds | unsupported
  quit

Threads come from the environment variables of the libraries. Arrays are in memory before the clock starts, in float32;
for cases whose names end in -f64, in float64."""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")  # of himalaya, that a primal solver is slow: both of its solvers are measured


def sklearn_per_token(data, alpha):
    """The loop of Brain-Diffuser's regression scripts (Ozcelik and VanRullen 2023): a Ridge for each token's values."""
    from sklearn.linear_model import Ridge

    x, y, test, tokens = data
    n, width = len(x), y.shape[1] // tokens
    y = y.reshape(n, tokens, width)
    predictions = np.empty((len(test), tokens, width), np.float32)
    for i in range(tokens):
        ridge = Ridge(alpha=alpha, max_iter=50000, fit_intercept=True)
        ridge.fit(x, y[:, i])
        predictions[:, i] = ridge.predict(test)
    return predictions.reshape(len(test), -1)


def centred(data):
    x, y, test, _ = data
    mean, offset = x.mean(0), y.mean(0)
    return x - mean, y - offset, test - mean, offset


def numpy_dual(data, alpha):
    """One Cholesky factor for all targets with numpy alone, which solves triangles as it solves any square system."""
    x, y, test, offset = centred(data)
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += np.float32(alpha)
    factor = np.linalg.cholesky(gram)
    dual = np.linalg.solve(factor.T, np.linalg.solve(factor, y))
    return (test @ x.T) @ dual + offset


def cholesky_dual(data, alpha):
    """The same with LAPACK's triangular solves."""
    from scipy.linalg import cho_factor, cho_solve

    x, y, test, offset = centred(data)
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += np.float32(alpha)
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    dual = cho_solve(factor, y, check_finite=False)
    return (test @ x.T) @ dual + offset


def hat_matrix(data, alpha):
    """Predictions without coefficients: (test xT) (x xT + alpha I)^-1 y, the small product first."""
    x, y, test, offset = centred(data)
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += np.float32(alpha)
    hat = np.linalg.solve(gram, x @ test.T).T
    return hat @ y + offset


def hat_matrix_cholesky(data, alpha):
    """The same with LAPACK's Cholesky factor, and the mean of the targets taken off the product alone."""
    from scipy.linalg import cho_factor, cho_solve

    x, y, test, _ = data
    mean = x.mean(0)
    offset = y.mean(0)
    x, test = x - mean, test - mean
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += np.float32(alpha)
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    hat = np.ascontiguousarray(cho_solve(factor, x @ test.T, check_finite=False).T)
    return hat @ y + (1 - hat.sum(1, keepdims=True)) * offset


def himalaya(make):
    """Penalties chosen for each target by K folds without shuffling; what is returned are the choices."""

    def run(data, alphas, folds):
        from himalaya.backend import set_backend
        from sklearn.model_selection import KFold

        set_backend("numpy")
        x, y, test, _ = data
        model = make(np.array(alphas, np.float32), KFold(folds))
        model.fit(x, y)
        model.predict(test)
        return np.asarray(model.best_alphas_)

    return run


def ridge_cv(alphas, cv):
    from himalaya.ridge import RidgeCV

    return RidgeCV(alphas=alphas, cv=cv, fit_intercept=True)


def kernel_ridge_cv(alphas, cv):
    from himalaya.kernel_ridge import KernelRidgeCV

    return KernelRidgeCV(alphas=alphas, cv=cv, kernel="linear", fit_intercept=True)


CASES = {
    "sklearn-per-token": sklearn_per_token,
    "sklearn-per-token-f64": sklearn_per_token,
    "numpy-dual": numpy_dual,
    "cholesky-dual": cholesky_dual,
    "hat-matrix": hat_matrix,
    "hat-matrix-cholesky": hat_matrix_cholesky,
    "himalaya-ridge-cv": himalaya(ridge_cv),
    "himalaya-kernel-ridge-cv": himalaya(kernel_ridge_cv),
}


def one_token(files, width, alpha, dtype):
    """One fit of that loop, with data in memory before the clock starts."""
    x, y, test = (np.load(name, mmap_mode="r") for name in files)
    data = (x.astype(dtype), y.reshape(len(y), -1)[:, :width].astype(dtype), test.astype(dtype), 1)
    start = time.perf_counter()
    sklearn_per_token(data, alpha)
    return time.perf_counter() - start


def versions():
    found = []
    for name in ("numpy", "scipy", "sklearn", "himalaya"):
        try:
            found.append(f"{name} {__import__(name).__version__}")
        except ImportError:
            pass
    return ", ".join(found)


def warm_up():
    """Imports and first calls, which are not what is measured."""
    x, y, test = (np.random.default_rng(1).standard_normal(shape, np.float32) for shape in ((30, 40), (30, 6), (5, 40)))
    for name, run in CASES.items():
        try:
            run((x, y, test, 2), **({"alphas": [1, 10], "folds": 3} if "himalaya" in name else {"alpha": 10}))
        except ImportError:
            pass


print(versions(), flush=True)
data = None
results = {}
for line in sys.stdin:
    command, *words = line.strip().split(maxsplit=2)
    if command == "prepare":
        folder, tokens = words
        x, y, test = (np.load(f"{folder}/{name}.npy") for name in ("x", "y", "test"))
        data = (x, y, test, int(tokens))
        warm_up()
        print("ok", flush=True)
    elif command == "run":
        try:
            settings = json.loads(words[1])
            own = data
            if words[0].endswith("-f64"):
                own = (*(array.astype(np.float64) for array in data[:3]), data[3])
            start = time.perf_counter()
            results[words[0]] = CASES[words[0]](own, **settings)
            print(time.perf_counter() - start, flush=True)
            del own
        except ImportError:
            print("unsupported", flush=True)
    elif command == "save":
        np.save(words[1], results[words[0]])
        print("ok", flush=True)
    elif command == "token":
        try:
            print(one_token(**json.loads(" ".join(words))), flush=True)
        except ImportError:
            print("unsupported", flush=True)
    elif command == "quit":
        break
