"""What taking memorized pictures away costs, beside matched controls, for the chapter `critical_look`.

    python benchmarks/critical_look.py

Networks 196-128-10 on the book's 5,000 images, pooled to 14 x 14.  Scores of ensembles that were stopped
after 3, 10, 30 or 80 epochs; accuracy without the most memorized images, without controls that are matched
by class, by distance or by cell, and with the rest weighted again.  About seven minutes of one core.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _provenance import MEASURED, save
from longtail.datasets import fashion_mnist
from longtail.datasets.images import Images
from longtail.ensembles import Dataset, Recipe, mlp, train_members
from longtail.memorization import subsample_memorization
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.vq import kmeans2
from scipy.stats import spearmanr

SEED, CLASSES, MODELS, SEEDS, REMOVED = 0, 10, 200, 12, 1000
NET, STOPS, CONVERGED, EARLY = mlp(196, 128, CLASSES), (3, 10, 30, 80), 80, 10
PER_CLASS, QUANTILES, DIGITS = (10, 50), 5, "0123456789abcdef"
Floats, Ints = NDArray[np.float64], NDArray[np.int64]
Draw = Callable[[int], Ints]  # which images to train on, for each seed


def recipe(epochs: int) -> Recipe:
    """The recipe that all networks share but for its length."""
    return Recipe(epochs=epochs, batch_size=128, lr=0.02)


def halve(images: Images) -> NDArray[np.float32]:
    """Pool 28 x 28 pixels to 14 x 14, with three times the contrast."""
    pooled: NDArray[np.float32] = images.inputs.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
    return 3 * pooled


def nearest(x: NDArray[np.float32]) -> Floats:
    """Squared distance of each image to the nearest other."""
    squares = (x**2).sum(axis=1)
    distance = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance.min(axis=1), dtype=np.float64)


def cells(x: NDArray[np.float32], y: Ints, number: int) -> Ints:
    """Cell of each image: k-means, so many clusters in each class."""
    found = np.zeros(len(y), dtype=np.int64)
    for c in range(CLASSES):
        _, kind = kmeans2(x[y == c].astype(np.float64), number, minit="++", rng=np.random.default_rng(c))
        found[y == c] = number * c + kind
    return found


def strata(x: NDArray[np.float32], y: Ints) -> Ints:
    """Class and fifth of the distance to the nearest image."""
    distance = nearest(x)
    edges = np.quantile(distance, np.arange(1, QUANTILES) / QUANTILES)
    return np.asarray(QUANTILES * y + np.digitize(distance, edges))


def without(removed: Ints, n: int) -> Ints:
    """All numbers but these."""
    return np.setdiff1d(np.arange(n), removed)


def matched(removed: Ints, group: Ints, seed: int) -> Ints:
    """As many images of each group, drawn at random from the whole group, `removed` included."""
    rng = np.random.default_rng([SEED, seed, 1])
    drawn = [
        rng.choice(np.flatnonzero(group == g), int(np.sum(group[removed] == g)), replace=False)
        for g in np.unique(group[removed])
    ]
    return np.concatenate(drawn)


def weighted(kept: Ints, group: Ints, seed: int) -> Ints:
    """Repeat kept images at random until each group has its old size, if anything is left of it."""
    rng, parts = np.random.default_rng([SEED, seed, 2]), []
    for g in np.unique(group[kept]):
        rest, size = kept[group[kept] == g], int(np.sum(group == g))
        rounds = [rng.permutation(rest) for _ in range(-(-size // len(rest)))]
        parts.append(np.concatenate(rounds)[:size])
    return np.concatenate(parts)


def answers(data: Dataset, draw: Draw, epochs: int) -> tuple[NDArray[np.bool_], Floats]:
    """Train one network for each seed: who is right on the test data, (SEEDS, tests), and shares fitted."""
    found, fits = [], []
    for seed in range(SEEDS):
        kept = draw(seed)
        part = Dataset(data.x[kept], data.y[kept], data.x_test, data.y_test)
        member = train_members(part, NET, [seed], 1.0, recipe(epochs), SEED + 1)
        found.append(member.correct_test[0])
        fits.append(member.correct.mean())
    return np.stack(found), np.array(fits)


def text(hits: NDArray[np.bool_]) -> str:
    """How many networks are right on each image, one digit of base 16 an image."""
    return "".join(DIGITS[k] for k in hits.sum(axis=0))


def bits(hits: NDArray[np.bool_]) -> str:
    """Who is right on what, one bit each, packed by `numpy.packbits` and written in base 64."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode()


def r(value: ArrayLike, digits: int = 4) -> Any:  # noqa: ANN401  numbers, or lists of them
    """Round for the file."""
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


def scores(data: Dataset) -> tuple[dict[int, Floats], dict[str, Any]]:
    """Memorization scores after each number of epochs, and what to say about them."""
    found, about = {}, {}
    for epochs in STOPS:
        run = subsample_memorization(data, NET, MODELS, 0.7, recipe(epochs), SEED)
        found[epochs] = run.memorization
        about[str(epochs)] = {
            "fit": r([run.train_accuracy.mean(), run.train_accuracy.min()]),
            "test": r(run.test_accuracy.mean()),
            "above": int((run.memorization > 0.25).sum()),
            "mean": r(run.memorization.mean()),
            "score": " ".join(str(v) for v in np.round(100 * run.memorization).astype(int)),
        }
    for epochs, top in most(found).items():
        about[str(epochs)]["rank"] = r(spearmanr(found[epochs], found[CONVERGED])[0])
        about[str(epochs)]["top"] = bits(np.isin(np.arange(len(data.x)), top))
    return found, about


def most(score: dict[int, Floats]) -> dict[int, Ints]:
    """Numbers of the most memorized images by each set of scores, most memorized first."""
    return {epochs: np.argsort(-s, kind="stable")[:REMOVED] for epochs, s in score.items()}


def conditions(
    score: dict[int, Floats], x: NDArray[np.float32], y: Ints
) -> Iterator[tuple[str, Draw, int, Ints]]:
    """Name, training images, epochs, and the images whose removal is meant."""
    n, top = len(y), most(score)
    worst = top[CONVERGED]
    groups = {"random": np.zeros(n, dtype=np.int64), "class": y, "distance": strata(x, y)}
    groups |= {f"{CLASSES * number} cells": cells(x, y, number) for number in PER_CLASS}
    yield "nothing", lambda _: np.arange(n), CONVERGED, worst
    for e, chosen in top.items():
        yield f"top {e}", lambda _, t=chosen: without(t, n), CONVERGED, chosen
    for name, group in groups.items():
        yield name, lambda s, g=group: without(matched(worst, g, s), n), CONVERGED, worst
        if name in ("class", f"{CLASSES * PER_CLASS[0]} cells"):
            yield f"top, {name} kept", lambda s, g=group: weighted(without(worst, n), g, s), CONVERGED, worst
    yield "nothing, early", lambda _: np.arange(n), EARLY, worst
    yield "random, early", lambda s: without(matched(worst, groups["random"], s), n), EARLY, worst
    for e in (EARLY, CONVERGED):
        yield f"top {e}, early", lambda _, t=top[e]: without(t, n), EARLY, top[e]
    for name in ("random", "class"):
        draw = lambda s, g=groups[name]: without(matched(worst[: REMOVED // 2], g, s), n)  # noqa: E731
        yield f"half, {name}", draw, CONVERGED, worst
    yield f"half, top {CONVERGED}", lambda _: without(worst[: REMOVED // 2], n), CONVERGED, worst


def main() -> None:
    """Measure everything and write the file."""
    train, test, start = fashion_mnist("train"), fashion_mnist("test"), time.process_time()
    x, y, tests = halve(train), train.labels.astype(np.int64), len(test.labels)
    score, about = scores(Dataset(x, y, halve(test), test.labels))
    both = Dataset(x, y, np.vstack([halve(test), x]), np.concatenate([test.labels, y]))
    found: dict[str, Any] = {}
    for name, draw, epochs, meant in conditions(score, x, y):
        hits, fits = answers(both, draw, epochs)
        gone = [np.mean(~np.isin(meant, draw(s))) for s in range(SEEDS)]
        found[name] = {
            "size": len(draw(0)),
            "gone": r(np.mean(gone)),  # share of the memorized images that were not trained on
            "fit": r(fits),
            "accuracy": r(hits[:, :tests].mean(axis=1), 5),
            "test": bits(hits[:, :tests]),
            "train": text(hits[:, tests:]),
        }
    seconds = round(time.process_time() - start)
    document = {"models": MODELS, "seeds": SEEDS, "removed": REMOVED, "seconds": seconds}
    save(__file__, SEED, {**document, "scores": about, "removal": found}, "torch", folder=MEASURED)


if __name__ == "__main__":
    main()
