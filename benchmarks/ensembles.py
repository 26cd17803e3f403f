"""Time the ensemble engine against the loop that everybody writes, on the work that others were measured on.

    python benchmarks/ensembles.py

The work: the 8 x 8 digits of scikit-learn (1,437 to train on, 360 to test), T models 64-128-10, each on
a random 70 %, 30 epochs, batch 128, learning rate 0.3, momentum 0.9.  Everything runs in turns, in one
thread, and is counted in seconds of the processor; the part with two processes is counted on the clock
and wants a quiet machine.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from _provenance import save
from _timing import seconds
from longtail.ensembles import Dataset, Model, Recipe, mlp, train_members
from longtail.memorization import subsample_memorization
from longtail.training import Path
from sklearn.datasets import load_digits
from torch import nn

ROUNDS, SEED = 5, 0


def digits() -> Dataset:
    """Return scikit-learn's digits, scaled to [0, 1], in a fixed random order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    return Dataset(x[:1437], y[:1437], x[1437:], y[1437:])


def images(size: int) -> Dataset:
    """Return random data in the shape of Fashion-MNIST: time does not depend on the values."""
    rng = np.random.default_rng(SEED)
    x, y = rng.standard_normal((size, 784), dtype=np.float32), rng.integers(10, size=size)
    return Dataset(x, y, x[:200], y[:200])


def small_cnn() -> nn.Module:
    """Two convolutions and a linear layer, 8 x 8 inputs."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def per_model(data: Dataset, model: Model, path: Path, models: int, recipe: Recipe) -> float:
    """Milliseconds of one core for each model."""
    work = partial(train_members, data, model, range(models), recipe=recipe, path=path)
    return 1000 * seconds(work) / models


def compare(data: Dataset, model: Model, recipe: Recipe, models: dict[Path, int]) -> dict[str, object]:
    """Time the paths in turns; ratios are medians over rounds."""
    times: dict[str, list[float]] = {path: [] for path in models}
    for _ in range(ROUNDS):
        for path, number in models.items():
            times[path].append(per_model(data, model, path, number, recipe))
    ratios = {p: [a / b for a, b in zip(times["loop"], t, strict=True)] for p, t in times.items()}
    return {
        path: {
            "ms a model": round(statistics.median(t), 1),
            "loop / this": round(statistics.median(ratios[path]), 1),
            "range": [round(min(ratios[path]), 1), round(max(ratios[path]), 1)],
        }
        for path, t in times.items()
    }


def products(data: Dataset, sizes: tuple[int, ...], recipe: Recipe) -> float:
    """Floating-point operations of the matrix products of one model (no gradient for the inputs)."""
    m = round(0.7 * len(data.x))
    layers = [a * b for a, b in pairwise(sizes)]
    return 2 * m * recipe.epochs * (3 * sum(layers) - layers[0])


def product_rate(size: int = 512) -> float:
    """Measured rate of a large matrix product in single precision, in operations a second of one core."""
    a, b, c = (torch.rand(size, size) for _ in range(3))
    rounds = [seconds(lambda: [torch.mm(a, b, out=c) for _ in range(20)]) / 20 for _ in range(ROUNDS)]
    return 2 * size**3 / statistics.median(rounds)


def two_processes(data: Dataset, models: int = 256) -> list[float]:
    """Time by the clock in one process over that in two, started before."""
    ratios = []
    for _ in range(ROUNDS):
        clocks = []
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                list(pool.map(partial(subsample_memorization, data, mlp(64, 128, 10)), [2] * workers))
                start = time.perf_counter()
                subsample_memorization(data, mlp(64, 128, 10), models, executor=pool, shard=16)
                clocks.append(time.perf_counter() - start)
        ratios.append(clocks[0] / clocks[1])
    return ratios


def peak(models: int) -> float:
    """Peak memory of this process in MiB after a run of that many models, 784-128-10 on 3,000 examples."""
    subsample_memorization(images(3000), mlp(784, 128, 10), models, recipe=Recipe(epochs=1), shard=16)
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


def peaks() -> dict[int, int]:
    """Measure each in a process of its own."""
    found = {}
    for models in (16, 64, 256, 1024):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[models] = round(pool.submit(peak, models).result())
    return found


def main() -> None:
    """Measure the work, other sizes, memory, and two processes."""
    torch.set_num_threads(1)
    data, work = digits(), Recipe()
    results: dict[str, object] = {
        "64-128-10, the work": compare(data, mlp(64, 128, 10), work, {"loop": 4, "vmap": 8, "mlp": 64})
    }
    fast = results["64-128-10, the work"]["mlp"]["ms a model"] / 1000  # type: ignore[index]
    share = products(data, (64, 128, 10), work) / fast / product_rate()
    results["share of the rate of a large matrix product"] = round(share, 2)
    results["64-32-10"] = compare(data, mlp(64, 32, 10), work, {"loop": 4, "vmap": 8, "mlp": 64})
    short = Recipe(epochs=3)
    for hidden in (128, 512):
        sizes = (784, hidden, 10)
        results[f"784-{hidden}-10"] = compare(
            images(3000), mlp(*sizes), short, {"loop": 4, "vmap": 4, "mlp": 8}
        )
    results["small CNN, 8 x 8"] = compare(data, small_cnn, short, {"loop": 4, "vmap": 8})
    results["peak memory, MiB, by number of models"] = peaks()
    ratios = two_processes(data)
    results["one process / two, by the clock"] = {
        "median": round(statistics.median(ratios), 2), "range": [round(min(ratios), 2), round(max(ratios), 2)]
    }  # fmt: skip
    save(__file__, SEED, results, "torch", "scikit-learn")


if __name__ == "__main__":
    main()
