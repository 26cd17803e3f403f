"""What privacy costs real networks, and whom, for the chapter on private training.

    python benchmarks/private_training.py

DP-SGD at several epsilon, by clipping alone and without privacy: pooled pictures by memorization score and
by influence; a planted Zipf world by number of copies, beside training on labels after randomized
response; Adult by group.  About four minutes of one core.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from _provenance import MEASURED, save
from longtail import FrequencyPrior
from longtail.datasets import ADULT_ATTRIBUTES, adult, cells, fashion_mnist
from longtail.datasets.tables import Table
from longtail.ensembles import Dataset, Model, Recipe, logits, mlp, train_modules
from longtail.evaluation import buckets, error_by_group, standard_error
from longtail.memorization import measured
from longtail.privacy import corrected, randomize_labels, train_private, truth
from numpy.typing import ArrayLike, NDArray

SEED, SEEDS, DELTA, CLASSES = 0, 5, 1e-5, 10
EPSILONS = (1.0, 2.0, 4.0, 8.0, None)  # None: clipped gradients without noise
SCORES, LEAN = (0.1, 0.3, 0.6, 0.9), (0.1, 0.15, 0.2)
N, SAMPLE, COPIES = 1000, 2000, (1, 2, 3, 8, 32)
NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
ALONE = (1, 2, 10, 100)  # people of one's cell in the training data
Bools = NDArray[np.bool_]
Run = tuple[float | None, int, torch.nn.Module, float]  # epsilon, seed, network, noise


def r(value: ArrayLike, digits: int = 5) -> Any:  # noqa: ANN401  numbers, or lists of them
    """Round for the file."""
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


def groups(correct: Bools, group: NDArray[Any]) -> dict[str, Any]:
    """Error by group; one row of `runs` a seed, so that the chapter can compare seed by seed."""
    found = error_by_group(correct, group)
    return {
        "group": found.group.tolist(),
        "size": found.size.tolist(),
        "error": r(found.error),
        "se": r(found.se),
        "runs": r(found.runs),
    }


def spread(runs: ArrayLike) -> dict[str, Any]:
    """Mean over seeds with its standard error, and the seeds."""
    return {"error": r(np.mean(runs, axis=0)), "se": r(standard_error(runs)), "runs": r(runs)}


def hits(module: torch.nn.Module, x: NDArray[np.floating], y: NDArray[np.integer]) -> Bools:
    """Which answers of one network are right."""
    return np.asarray(logits([module], x)[0].argmax(-1) == y)


def private(
    data: Iterable[Dataset], net: Model, recipe: Recipe, epsilons: tuple[float | None, ...]
) -> Iterator[Run]:
    """Train by DP-SGD, one network a seed; the noise is found once for each epsilon."""
    tasks = list(data)
    for epsilon in epsilons:
        asked: dict[str, float] = {"epsilon": epsilon} if epsilon else {"noise_multiplier": 0.0}
        for k, task in enumerate(tasks):
            trained = train_private(task, net, delta=DELTA, recipe=recipe, member=k, seed=SEED, **asked)
            asked = {"noise_multiplier": trained.noise_multiplier}
            yield epsilon, k, trained.module, trained.noise_multiplier
        print(f"epsilon {epsilon} done", file=sys.stderr)


def plain(data: Iterable[Dataset], net: Model, recipe: Recipe) -> Iterator[torch.nn.Module]:
    """Train without privacy, one network a seed."""
    for k, task in enumerate(data):
        yield train_modules(task, net, [k], 1.0, recipe, SEED)[0]


# -- pictures with known memorization scores -------------------------------------------------------------


def pictures() -> dict[str, Any]:
    """The 5,000 pictures whose scores are known, at half their resolution."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    pool = lambda d: d.inputs.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)  # noqa: E731
    data = Dataset(pool(train), train.labels, pool(test), test.labels)
    known, _ = measured("fashion_mnist_subset")
    score = buckets(known.memorization, SCORES)
    lean = buckets(known.influence().value.max(axis=0), LEAN)
    net, slow, fast = mlp(196, 32, CLASSES), Recipe(60, 50, 0.05), Recipe(20, 500, 0.4)

    def row(modules: list[torch.nn.Module]) -> dict[str, Any]:
        on_train = np.stack([hits(m, data.x, data.y) for m in modules])
        on_test = np.stack([hits(m, data.x_test, data.y_test) for m in modules])
        return {
            "test": spread(1 - on_test.mean(axis=1)),
            "train": spread(1 - on_train.mean(axis=1)),
            "by score": groups(on_train, score),
            "by influence": groups(on_test, lean),
        }

    rows = {"plain": row(list(plain([data] * SEEDS, net, slow)))}
    runs = list(private([data] * SEEDS, net, fast, EPSILONS))
    for epsilon in EPSILONS:
        rows[name(epsilon)] = row([m for e, _, m, _ in runs if e == epsilon])
        rows[name(epsilon)]["noise"] = r(next(s for e, _, _, s in runs if e == epsilon))
    return {"edges of scores": SCORES, "edges of influence": LEAN, "rows": rows}


def name(epsilon: float | None) -> str:
    """Key of a row."""
    return f"{epsilon:g}" if epsilon else "clipped"


# -- a planted tail --------------------------------------------------------------------------------------


def clouds() -> NDArray[np.float32]:
    """A thousand clouds: a picture under its nine shifts by at most one pixel, pooled to 14 x 14."""
    images = fashion_mnist("train").images[:N].astype(np.float32)
    frame = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    shifted = [frame[:, i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    pooled = np.stack([s.reshape(N, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(N, 196) for s in shifted], axis=1)
    return np.asarray((pooled - pooled.mean()) / pooled.std(), dtype=np.float32)


def planted() -> dict[str, Any]:
    """Zipf frequencies in random order, labels by dice: everything is drawn anew for each seed."""
    x = clouds()
    worlds, tasks, copies = [], [], []
    for k in range(SEEDS):
        rng = np.random.default_rng([SEED, 3, k])
        freq, f = rng.permutation(FrequencyPrior.zipf(N).frequencies), rng.integers(CLASSES, size=N)
        own, version = rng.choice(N, SAMPLE, p=freq), rng.integers(9, size=SAMPLE)
        worlds.append((freq, f))
        copies.append(np.bincount(own, minlength=N))
        tasks.append(Dataset(x[own, version], f[own], x[:, 0], f))
    net, slow, fast = mlp(196, 64, CLASSES), Recipe(60, 50, 0.05), Recipe(20, 400, 1.0)

    def row(modules: list[torch.nn.Module]) -> dict[str, Any]:
        errors, by = [], []
        for module, (freq, f), counts in zip(modules, worlds, copies, strict=True):
            right = hits(module, x.reshape(-1, 196), np.repeat(f, 9)).reshape(N, 9)
            errors.append(freq @ (1 - right.mean(axis=1)))
            found = error_by_group(right.ravel(), np.repeat(buckets(counts, COPIES), 9))
            by.append(found.error)
        return {"error": spread(errors), "by copies": spread(by)}

    rows = {"plain": row(list(plain(tasks, net, slow)))}
    runs = list(private(tasks, net, fast, EPSILONS))
    for epsilon in EPSILONS:
        rows[name(epsilon)] = row([m for e, _, m, _ in runs if e == epsilon])
        rows[name(epsilon)]["noise"] = r(next(s for e, _, _, s in runs if e == epsilon))
    labels = {}
    for epsilon in (1.0, 2.0, 4.0, 8.0):
        told = [
            t._replace(y=randomize_labels(t.y, CLASSES, epsilon, np.random.default_rng([SEED, 4, k])))
            for k, t in enumerate(tasks)
        ]
        for how, model in (("label", net), ("label, corrected", corrected(net, CLASSES, epsilon))):
            modules = list(plain(told, model, slow))
            labels[f"{how} {epsilon:g}"] = row(modules)
            labels[f"{how} {epsilon:g}"]["fits what was told"] = spread(
                [hits(m, t.x, t.y).mean() for m, t in zip(modules, told, strict=True)]
            )
            labels[f"{how} {epsilon:g}"]["truth"] = r(truth(CLASSES, epsilon))
        print(f"labels at {epsilon} done", file=sys.stderr)
    once = [float(freq[c == 1].sum()) for (freq, _), c in zip(worlds, copies, strict=True)]
    never = [float(freq[c == 0].sum()) for (freq, _), c in zip(worlds, copies, strict=True)]
    kinds = [np.bincount(buckets(c, COPIES), minlength=len(COPIES) + 1) for c in copies]
    return {
        "N": N,
        "n": SAMPLE,
        "edges of copies": COPIES,
        "clouds by copies": r(np.mean(kinds, axis=0), 2),
        "mass seen once": r(once),
        "mass never seen": r(never),
        "rows": rows | labels,
    }


# -- Adult -----------------------------------------------------------------------------------------------


def inputs(train: Table, test: Table) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One column a value for the attributes, five standardised numbers; dollars by their logarithm."""
    both = {c: np.concatenate([train[c], test[c]]) for c in (*ADULT_ATTRIBUTES, *NUMBERS)}
    columns = [(both[c][:, None] == np.unique(both[c])).astype(np.float32) for c in ADULT_ATTRIBUTES]
    for c in NUMBERS:
        v = np.log1p(both[c]) if c.startswith("capital") else both[c].astype(np.float64)
        columns.append(((v - v.mean()) / v.std())[:, None].astype(np.float32))
    x, n = np.hstack(columns), len(train["age"])
    return x[:n], x[n:]


def census() -> dict[str, Any]:
    """Income above 50,000 dollars or not, from a small network; errors on new people by group."""
    train, test = adult("train"), adult("test")
    x, x_test = inputs(train, test)
    y, y_test = ((t["income"] == ">50K").astype(np.int64) for t in (train, test))
    data = Dataset(x, y, x_test, y_test)
    own, new = cells(train, test, columns=ADULT_ATTRIBUTES)
    known = np.bincount(own, minlength=new.max() + 1)[new]
    by = {
        "sex": test["sex"],
        "race": test["race"],
        "income": test["income"],
        "sex and income": np.char.add(np.char.add(test["sex"].astype(str), " "), test["income"].astype(str)),
        "cell": buckets(known, ALONE),
    }
    net, recipe = mlp(x.shape[1], 16, 2), Recipe(10, 1024, 0.5)
    epsilons = (0.1, 0.3, 1.0, 4.0, None)

    def row(modules: list[torch.nn.Module]) -> dict[str, Any]:
        right = np.stack([hits(m, x_test, y_test) for m in modules])
        return {"test": spread(1 - right.mean(axis=1)), **{k: groups(right, g) for k, g in by.items()}}

    rows = {"plain": row(list(plain([data] * SEEDS, net, Recipe(10, 128, 0.05))))}
    runs = list(private([data] * SEEDS, net, recipe, epsilons))
    for epsilon in epsilons:
        rows[name(epsilon)] = row([m for e, _, m, _ in runs if e == epsilon])
        rows[name(epsilon)]["noise"] = r(next(s for e, _, _, s in runs if e == epsilon))
    rich = {str(s): r(y_test[test["sex"] == s].mean()) for s in np.unique(test["sex"])}
    return {
        "inputs": x.shape[1],
        "edges of cells": ALONE,
        "share above 50K": r(y_test.mean()),
        "share above 50K by sex": rich,
        "rows": rows,
    }


def main() -> None:
    """Train, count errors, write."""
    torch.set_num_threads(1)
    document: dict[str, Any] = {"seeds": SEEDS, "delta": DELTA}
    document |= {"pictures": pictures(), "planted": planted(), "adult": census()}
    save(__file__, SEED, document, "torch", "opacus", folder=MEASURED)


if __name__ == "__main__":
    main()
