"""Membership inference on many small networks, for the chapter of that name.

    python benchmarks/membership_inference.py

Networks 196-64-10 on 14 x 14 images: without privacy and on random halves of 2,000 images; pruned; by
DP-SGD, where a coin decides for each image; on labels after randomized response.  Attacks, their success
for each image, and lower bounds on epsilon.  About seven minutes of one core.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from _provenance import MEASURED, save
from longtail import attacks
from longtail.compression import prune
from longtail.datasets import fashion_mnist
from longtail.datasets.images import Images
from longtail.ensembles import Dataset, Model, Recipe, logits, mlp, subset, train_modules
from longtail.evaluation import buckets, standard_error
from longtail.privacy import randomize_labels, train_private, truth
from numpy.typing import ArrayLike, NDArray
from opacus.accountants import create_accountant
from scipy.stats import beta
from torch import Tensor, nn

SEED, N, CLASSES, LEVEL = 0, 2000, 10, 0.95
NET, RECIPE = mlp(196, 64, CLASSES), Recipe(epochs=60, batch_size=50, lr=0.05)
MODELS, FEW, DELTA, TINY = 400, 40, 1e-5, 1e-7
WIDE, LONG = mlp(196, 256, CLASSES), Recipe(epochs=150, batch_size=50, lr=0.05)  # fits random labels too
PRIVATE = Recipe(epochs=20, batch_size=400, lr=0.4)
GRID = np.geomspace(1e-5, 1, 51)
EDGES = (0.1, 0.3, 0.6, 0.9)
Floats, Bools = NDArray[np.float64], NDArray[np.bool_]


class Seat(nn.Module):
    """The network, with a switch in front: an empty seat has gradient zero, as if nobody sat there."""

    def __init__(self) -> None:
        super().__init__()
        self.net = NET()

    def forward(self, z: Tensor) -> Tensor:
        """Multiply the network's answer by the first input."""
        return z[:, :1] * self.net(z[:, 1:])


def halve(images: Images) -> NDArray[np.float32]:
    """Pool 28 x 28 pixels to 14 x 14."""
    pooled: NDArray[np.float32] = images.inputs.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
    return pooled


def r(value: ArrayLike, digits: int = 4) -> Any:  # noqa: ANN401  numbers, or lists of them
    """Round for the file."""
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


def mean(values: ArrayLike) -> list[float]:
    """Mean over the models with its standard error."""
    return [*r([np.mean(values), float(standard_error(values))], 5)]


def hits(z: NDArray[np.floating], y: NDArray[np.integer]) -> Bools:
    """Which answers are right."""
    return np.asarray(z.argmax(-1) == y)


def tabulate(scores: Floats, inside: Bools) -> dict[str, Any]:
    """Area for each model; members found, pooled, with binomial interval and error over models."""
    areas = [attacks.auc(s, i).value for s, i in zip(scores, inside, strict=True)]
    found: dict[str, Any] = {"auc": mean(areas)}
    for at in (0.001, 0.01):
        rate = attacks.true_positive_rate(scores, inside, at)
        line = cut(scores, inside, at)
        each = [np.mean(s[i] > line) for s, i in zip(scores, inside, strict=True)]
        found[f"tpr at {at}"] = {"rate": r(list(rate), 5), "over models": mean(each)}
    return found


def cut(scores: Floats, inside: Bools, at: float) -> float:
    """Score above which at most a share `at` of the others lies."""
    others = np.sort(scores[~inside])[::-1]
    return float(others[int(at * others.size)])


def curve(scores: Floats, inside: Bools) -> list[float]:
    """Share of members found on the grid of false alarms."""
    others, members = np.sort(scores[~inside])[::-1], scores[inside]
    lines = np.append(others, -np.inf)[(GRID * others.size).astype(int)]
    return list(r([(members > line).mean() for line in lines], 5))


def right_or_wrong(right: Bools, inside: Bools) -> Floats:
    """Log-likelihood ratio of one bit; the chances come from all other models."""
    scores = np.zeros(right.shape)
    for sign, side in ((1, inside), (-1, ~inside)):
        number, found = side.sum(axis=0) - side, (right & side).sum(axis=0) - (right & side)
        chance = (found + 0.5) / (number + 1)
        scores += sign * np.log(np.where(right, chance, 1 - chance))
    return scores


def lower_bounds(
    first: tuple[Floats, Bools], second: tuple[Floats, Bools], delta: float
) -> dict[str, dict[str, float]]:
    """Epsilon at least: the threshold from the first models, applied to the second; both directions."""
    found = {}
    for name, sign in (("in", 1), ("out", -1)):
        (s, i), (s2, i2) = ((sign * scores, inside == (sign > 0)) for scores, inside in (first, second))
        tried = np.quantile(s, 1 - np.geomspace(0.0005, 0.5, 40))
        plug = [attacks.epsilon_lower_bound(s, i, line, delta, LEVEL) for line in tried]
        line = float(tried[int(np.argmax(plug))])
        claims = s2 > line
        true, false = (claims & i2).sum(axis=1), (claims & ~i2).sum(axis=1)
        found[name] = {
            "chosen on": r(max(plug)),
            "pooled": r(attacks.epsilon_lower_bound(s2, i2, line, delta, LEVEL)),
            "many": r(many(int(true.sum()), int(false.sum()), s2.size * delta)),
            "true": int(true.sum()),
            "false": int(false.sum()),
        }
    return found


def lira(conf: Floats, inside: Bools, pooled: bool = False) -> Floats:
    """LiRA, with 0, no evidence, where too few other models are on a side."""
    return np.nan_to_num(attacks.lira(conf, inside, pooled), nan=0.0)


def halves(conf: Floats, inside: Bools, pooled: bool) -> tuple[tuple[Floats, Bools], tuple[Floats, Bools]]:
    """LiRA among the first half of the models, and on the second half with laws from the first alone."""
    half = len(conf) // 2
    shadows, known = conf[:half], inside[:half]
    scores = [
        lira(np.vstack([shadows, c]), np.vstack([known, i]), pooled)[-1]
        for c, i in zip(conf[half:], inside[half:], strict=True)
    ]
    return (lira(shadows, known, pooled), known), (np.stack(scores), inside[half:])


def many(true: int, false: int, failing: float, sides: int = 2) -> float:
    """Least epsilon from claims of which so many are true, see the theorem on many guesses in the chapter.

    `failing` bounds the chance that delta plays a part; the whole error is shared by `sides` tests.
    """
    tail = (1 - LEVEL) / sides - failing
    share = beta.ppf(tail, true, false + 1) if true and tail > 0 else 0.0
    return float(np.log(share / (1 - share))) if share > 0.5 else 0.0


def by_score(scores: Floats, inside: Bools, which: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Attack success in each bucket of memorization scores, at thresholds that serve all buckets."""
    rows = []
    line = {at: cut(scores, inside, at) for at in (0.001, 0.01)}
    for b in range(len(EDGES) + 1):
        pairs = list(zip(scores[:, which == b], inside[:, which == b], strict=True))
        pairs = [(a, c) for a, c in pairs if c.any() and not c.all()]
        row: dict[str, Any] = {"size": int((which == b).sum())}
        row["auc"] = mean([attacks.auc(a, c).value for a, c in pairs])
        for at, v in line.items():
            row[f"tpr at {at}"] = mean([np.mean(a[c] > v) for a, c in pairs])
            row[f"fpr at {at}"] = mean([np.mean(a[~c] > v) for a, c in pairs])
        rows.append(row)
    return rows


def score_of(right: Bools, inside: Bools) -> Floats:
    """Memorization score of each image from right answers with and without it."""
    with_it, without = (np.where(side, right, 0).sum(axis=0) / side.sum(axis=0) for side in (inside, ~inside))
    return np.asarray(with_it - without)


def one_image(conf: Floats, inside: Bools, score: Floats, half: int) -> dict[str, Any]:
    """The image with the largest score on the first models, attacked on the others: independent scores."""
    chosen = int(np.argmax(score))
    s, i = conf[:, chosen], inside[:, chosen]
    tried = np.quantile(s[:half], np.linspace(0.05, 0.95, 37))
    plug = [attacks.epsilon_lower_bound(s[:half], i[:half], float(v), 0.0, LEVEL) for v in tried]
    line = float(tried[int(np.argmax(plug))])
    claims, members = s[half:] > line, i[half:]
    return {
        "image": chosen,
        "score": r(score[chosen]),
        "members": [int((claims & members).sum()), int(members.sum())],
        "others": [int((claims & ~members).sum()), int((~members).sum())],
        "epsilon at least": r(attacks.epsilon_lower_bound(s[half:], members, line, 0.0, LEVEL)),
    }


def standard(data: Dataset) -> tuple[dict[str, Any], list[nn.Module], Bools, NDArray[np.int64]]:
    """Networks without privacy on random halves of the images."""
    modules = train_modules(data, NET, range(MODELS), 0.5, RECIPE, SEED)
    inside = np.zeros((MODELS, N), dtype=bool)
    for k in range(MODELS):
        inside[k, subset(SEED, k, N, N // 2)] = True
    z = logits(modules, data.x)
    right, conf = hits(z, data.y), attacks.confidence(z, data.y)
    half = MODELS // 2
    early = score_of(right[:half], inside[:half])
    which = buckets(early, EDGES)
    scores = {
        "loss": -attacks.loss(conf),
        "right or wrong": right_or_wrong(right, inside),
        "lira": lira(conf, inside),
    }
    # For one image networks are compared with each other, so none may have taught the attack on another.
    each = []
    for order in (slice(None), slice(None, None, -1)):
        _, (s2, i2) = halves(conf[order], inside[order], False)
        each.append([attacks.auc(s, i).value for s, i in zip(s2.T, i2.T, strict=True)])
    shadows = {}
    for size in (8, 16, 32, 64):
        for pooled in (False, True):
            found = []
            for g in range(6):
                part = slice(g * size, (g + 1) * size)
                s, i = attacks.lira(conf[part], inside[part], pooled), inside[part]
                known = ~np.isnan(s)
                found.append(
                    [
                        attacks.auc(s[known], i[known]).value,
                        attacks.true_positive_rate(s[known], i[known], 0.001).value,
                    ]
                )
            shadows[f"{size} {'pooled' if pooled else 'each'}"] = [
                mean(column) for column in zip(*found, strict=True)
            ]
    results = {
        "train accuracy": mean([a[i].mean() for a, i in zip(right, inside, strict=True)]),
        "other accuracy": mean([a[~i].mean() for a, i in zip(right, inside, strict=True)]),
        "test accuracy": mean(hits(logits(modules, data.x_test), data.y_test).mean(axis=1)),
        "attacks": {name: tabulate(s, inside) for name, s in scores.items()},
        "grid": [float(f"{g:.4g}") for g in GRID],
        "curves": {name: curve(s, inside) for name, s in scores.items()},
        "right with": (right & inside).sum(axis=0).tolist(),
        "with": inside.sum(axis=0).tolist(),
        "right without": (right & ~inside).sum(axis=0).tolist(),
        "auc of each image": r(np.mean(each, axis=0), 3),
        "by score": by_score(scores["lira"][half:], inside[half:], which),
        "by score, right or wrong": by_score(scores["right or wrong"][half:], inside[half:], which),
        "edges": list(EDGES),
        "models to learn from": shadows,
        "few": tabulate(lira(conf[:FEW], inside[:FEW], True), inside[:FEW]),
        "few by score": by_score(lira(conf[:FEW], inside[:FEW], True), inside[:FEW], which),
        "lower bounds": lower_bounds(*halves(conf, inside, False), 0.0),
        "few lower bounds": lower_bounds(*halves(conf[:FEW], inside[:FEW], True), 0.0),
        "one image": one_image(conf, inside, early, half),
    }
    return results, modules, inside, which


def private(data: Dataset, which: NDArray[np.int64]) -> list[dict[str, Any]]:
    """DP-SGD: a coin for each image and network; whoever is out leaves an empty seat."""
    coins = np.random.default_rng([SEED, 1]).random((FEW, N)) < 0.5
    full = Dataset(
        seated(data.x, np.ones(N)), data.y, seated(data.x_test, np.ones(len(data.y_test))), data.y_test
    )
    rows = []
    for epsilon in (2.0, 8.0, 32.0, None):
        asked: dict[str, float] = {"epsilon": epsilon} if epsilon else {"noise_multiplier": 0.0}
        trained = []
        for k in range(FEW):
            seats = full._replace(x=seated(data.x, coins[k]))
            trained.append(
                train_private(seats, Seat, delta=DELTA, recipe=PRIVATE, member=k, seed=SEED, **asked)
            )
            asked = {"noise_multiplier": trained[0].noise_multiplier}
        modules = [t.module for t in trained]
        z = logits(modules, full.x)
        right, conf = hits(z, data.y), attacks.confidence(z, data.y)
        scores = lira(conf, coins, True)
        rows.append(
            {
                "epsilon": r(trained[0].epsilon) if epsilon else None,
                "epsilon at tiny delta": r(spent(trained[0].noise_multiplier, TINY)) if epsilon else None,
                "noise": r(trained[0].noise_multiplier),
                "train accuracy": mean([a[i].mean() for a, i in zip(right, coins, strict=True)]),
                "other accuracy": mean([a[~i].mean() for a, i in zip(right, coins, strict=True)]),
                "test accuracy": mean(hits(logits(modules, full.x_test), data.y_test).mean(axis=1)),
                "loss": tabulate(-attacks.loss(conf), coins),
                "lira": tabulate(scores, coins),
                "by score": by_score(scores, coins, which),
                "lower bounds": lower_bounds(*halves(conf, coins, True), TINY if epsilon else 0.0),
            }
        )
    return rows


def spent(noise: float, delta: float) -> float:
    """Return what the same training spent at another delta."""
    accountant = create_accountant("prv")
    accountant.history = [(noise, PRIVATE.batch_size / N, PRIVATE.epochs * -(-N // PRIVATE.batch_size))]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return float(accountant.get_epsilon(delta))


def seated(x: NDArray[np.floating], taken: NDArray[Any]) -> NDArray[np.float32]:
    """Put the switch in front of the inputs."""
    return np.column_stack([taken, x]).astype(np.float32)


def pruned(data: Dataset, modules: list[nn.Module], inside: Bools) -> list[dict[str, Any]]:
    """Attack pruned networks, by one who prunes his own as well and by one who does not."""
    modules, inside = modules[:100], inside[:100]
    whole = attacks.confidence(logits(modules, data.x), data.y)
    rows = []
    for sparsity in (0.0, 0.5, 0.8, 0.9, 0.95):
        small = [prune(m, sparsity) for m in modules]
        z = logits(small, data.x)
        right, conf = hits(z, data.y), attacks.confidence(z, data.y)
        naive = np.stack([lira(mixed(whole, conf, k), inside)[k] for k in range(FEW)])
        informed = lira(conf, inside)
        rows.append(
            {
                "sparsity": sparsity,
                "train accuracy": mean([a[i].mean() for a, i in zip(right, inside, strict=True)]),
                "test accuracy": mean(hits(logits(small, data.x_test), data.y_test).mean(axis=1)),
                "informed": tabulate(informed, inside),
                "naive": tabulate(naive, inside[:FEW]),
            }
        )
    return rows


def mixed(whole: Floats, small: Floats, k: int) -> Floats:
    """Confidences of whole networks but for the k-th, which is pruned."""
    values = whole.copy()
    values[k] = small[k]
    return values


def randomized(data: Dataset, net: Model, recipe: Recipe, canaries: int = 200) -> list[dict[str, Any]]:
    """Label privacy: a coin picks one of two labels for each canary, randomized response may change it."""
    rows = []
    for epsilon in (1.0, 2.0, 4.0):
        scores, coins, claims, fits, tests, own = [], [], [], [], [], []
        for k in range(FEW):
            rng = np.random.default_rng([SEED, 2, k])
            part = rng.choice(N, N // 2, replace=False)
            x, true = data.x[part], data.y[part]
            first = true[:canaries]
            second = (first + rng.integers(1, CLASSES, canaries)) % CLASSES
            coin = rng.random(canaries) < 0.5
            given = np.append(np.where(coin, first, second), true[canaries:])
            reported = randomize_labels(given, CLASSES, epsilon, rng)
            task = Dataset(x, reported, data.x_test, data.y_test)
            module = train_modules(task, net, [k], 1.0, recipe, SEED)
            z, at = logits(module, x)[0], np.arange(canaries)
            answer = z.argmax(-1)[:canaries]
            scores.append(z[at, first] - z[at, second])
            coins.append(coin)
            claims.append([np.sum((answer == first) & coin) + np.sum((answer == second) & ~coin),
                           np.sum((answer == first) | (answer == second))])  # fmt: skip
            fits.append(hits(z, reported).mean())
            own.append(hits(z, reported)[:canaries].mean())
            tests.append(hits(logits(module, data.x_test), data.y_test).mean())
        true_claims, all_claims = (int(c) for c in np.sum(claims, axis=0))
        rows.append(
            {
                "epsilon": epsilon,
                "truth": r(truth(CLASSES, epsilon)),
                "fits reported": mean(fits),
                "fits canaries": mean(own),
                "test accuracy": mean(tests),
                "claims": [true_claims, all_claims],
                "share over models": mean([a / b for a, b in claims]),
                "epsilon at least": r(many(true_claims, all_claims - true_claims, 0.0, sides=1)),
                "thresholds": lower_bounds(
                    (np.stack(scores[: FEW // 2]), np.stack(coins[: FEW // 2])),
                    (np.stack(scores[FEW // 2 :]), np.stack(coins[FEW // 2 :])),
                    0.0,
                ),
            }
        )
    return rows


def main() -> None:
    """Train, attack, write."""
    torch.set_num_threads(1)
    train, test = fashion_mnist("train"), fashion_mnist("test")
    data = Dataset(halve(train)[:N], train.labels[:N], halve(test), test.labels)
    results, modules, inside, which = standard(data)
    document = {
        "models": {"standard": MODELS, "pruned": 100, "private": FEW, "labels": FEW},
        "standard": results,
        "pruned": pruned(data, modules, inside),
        "private": private(data, which),
        "delta": DELTA,
        "tiny delta": TINY,
        "labels": randomized(data, NET, RECIPE),
        "labels, fitted": randomized(data, WIDE, LONG),
    }
    save(__file__, SEED, document, "torch", "opacus", folder=MEASURED)


if __name__ == "__main__":
    main()
