"""Memorization of all 60,000 images of Fashion-MNIST: 2,000 networks 784-512-10, ten epochs, on a GPU.

    python benchmarks/fashion_mnist_full.py FOLDER [--device cuda] [--models 2000] [--store FOLDER]

FOLDER holds the four gzip IDX files (`longtail.datasets.fashion_mnist_full`).  Prints time,
floating-point operations and memory traffic, and writes ``results/fashion_mnist_full.json`` with the
scores of a random 2,000 of the examples. A run that is stopped goes on where it was when the same call
is made again; its time then counts the rest only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _provenance import save
from longtail.datasets import fashion_mnist_full
from longtail.ensembles import Dataset, Recipe, mlp
from longtail.memorization import subsample_memorization

SIZES, RECIPE, FRACTION, SEED = (784, 512, 10), Recipe(epochs=10, batch_size=128, lr=0.02), 0.7, 0
KEPT = 2_000


def images(folder: str) -> Dataset:
    """Return the full data."""
    train, test = fashion_mnist_full("train", folder), fashion_mnist_full("test", folder)
    return Dataset(train.inputs, train.labels, test.inputs, test.labels)


def account(models: int, n: int) -> dict[str, float]:
    """Count the operations of the matrix products and the bytes of weights and momentum that must move."""
    m = round(FRACTION * n)
    layers = [a * b for a, b in pairwise(SIZES)]
    operations = 2 * m * RECIPE.epochs * (3 * sum(layers) - layers[0])
    steps = RECIPE.epochs * -(-m // RECIPE.batch_size)
    moved = 4 * sum(layers) * 7  # read for two products, momentum read and written, update: 2 reads, 1 write
    return {
        "PFLOP": round(models * operations / 1e15, 3),
        "TB of state": round(models * steps * moved / 1e12, 1),
    }


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description="Memorization of all of Fashion-MNIST.")
    parser.add_argument("folder")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--shard", type=int, default=100)
    parser.add_argument("--store", type=Path)
    chosen = parser.parse_args()
    run = partial(subsample_memorization, partial(images, chosen.folder), mlp(*SIZES), fraction=FRACTION)
    if chosen.device != "cpu":
        run(n_models=2, recipe=Recipe(epochs=1, batch_size=128, lr=0.02), device=chosen.device)  # warm up
    start = time.perf_counter()
    result = run(
        n_models=chosen.models,
        recipe=RECIPE,
        seed=SEED,
        device=chosen.device,
        store=chosen.store,
        shard=chosen.shard,
    )
    clock = time.perf_counter() - start
    kept = np.sort(np.random.default_rng(SEED).choice(result.n_in.size, KEPT, replace=False))
    name = torch.cuda.get_device_name() if chosen.device.startswith("cuda") else "CPU"
    results = {
        "device": name, "seconds": round(clock, 1), "models": chosen.models,
        **account(chosen.models, result.n_in.size),
        "model": "-".join(map(str, SIZES)), "recipe": asdict(RECIPE), "warnings": result.warnings,
        "least train accuracy": round(float(result.train_accuracy.min()), 4),
        "mean test accuracy": round(float(result.test_accuracy.mean()), 4),
        "share of scores at least .25": round(float((result.memorization >= 0.25).mean()), 4),
        "examples": kept.tolist(),
        "memorization": result.memorization[kept].round(4).tolist(),
        "standard errors": result.memorization_se[kept].round(4).tolist(),
    }  # fmt: skip
    save(__file__, SEED, results, "torch")


if __name__ == "__main__":
    main()
