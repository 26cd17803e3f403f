"""What compressed networks forget, for the chapter of that name.

    python benchmarks/compression.py

Networks 784-w-10 on the 5,000 pictures whose memorization scores are known: pruned, rounded to few bits,
and narrow from the start.  Errors by score, by influence and by difficulty; answers that change, network by
network and for the majority; margins and what they certify; pruning with training afterwards.  About six
minutes of one core.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from _provenance import MEASURED, save
from longtail.attacks import auc
from longtail.compression import prune, quantize
from longtail.datasets import fashion_mnist
from longtail.ensembles import Dataset, Recipe, logits, mlp, train_modules
from longtail.evaluation import buckets, error_by_group, standard_error
from longtail.memorization import measured
from numpy.typing import ArrayLike, NDArray
from torch import nn

SEED, NETS, GROUPS, CLASSES, FEW = 0, 25, 5, 10, 10
RECIPE, AFTER = Recipe(epochs=50, batch_size=128, lr=0.02), 10  # AFTER: epochs of training after pruning
WIDTHS, SPARSITIES, BITS = (128, 64, 32, 16, 8), (0.5, 0.7, 0.8, 0.9, 0.95), (8, 4, 3, 2)
CERTIFIED_BITS = (6, 8, 10, 12, 16)
SCORES, LEAN, HARD = (0.1, 0.3, 0.6, 0.9), (0.05, 0.2), (0.1, 0.5, 0.9)
Floats, Ints, Bools = NDArray[np.floating], NDArray[np.int64], NDArray[np.bool_]


def r(value: ArrayLike, digits: int = 5) -> Any:  # noqa: ANN401  numbers, or lists of them
    """Round for the file."""
    return np.round(np.asarray(value, dtype=np.float64), digits).tolist()


def groups(correct: Bools, group: Ints) -> dict[str, Any]:
    """Error by group; one row of `runs` a network."""
    found = error_by_group(correct, group)
    return {"size": found.size.tolist(), "error": r(found.error), "se": r(found.se), "runs": r(found.runs, 4)}


def mean(runs: ArrayLike) -> dict[str, Any]:
    """Mean over networks, its standard error, and the networks."""
    return {"mean": r(np.mean(runs, axis=0)), "se": r(standard_error(runs)), "runs": r(runs, 4)}


def brief(runs: ArrayLike) -> dict[str, Any]:
    """Mean over networks and its standard error."""
    return {"mean": r(np.mean(runs, axis=0)), "se": r(standard_error(runs))}


def share(hits: list[list[Bools]]) -> dict[str, Any]:
    """Share of hits in each group, networks pooled; the spread over networks gives the standard error."""
    size, found = (np.array([[f(h) for h in row] for row in hits], dtype=np.float64) for f in (len, np.sum))
    value = found.sum(axis=0) / size.sum(axis=0)
    return {"mean": r(value), "se": r(standard_error(found - value * size) / size.mean(axis=0))}


def vote(answers: Ints) -> Ints:
    """Majority of the networks for each picture; the first class wins a tie."""
    return np.asarray((answers[:, :, None] == np.arange(CLASSES)).sum(axis=0).argmax(axis=1))


def retrain(module: nn.Module, data: Dataset, member: int) -> nn.Module:
    """Train a pruned network further; what is zero stays zero."""
    x, y = torch.as_tensor(data.x), torch.as_tensor(data.y.astype(np.int64))
    kept = [(p, (p != 0).float()) for p in module.parameters() if p.ndim == 2]
    step = torch.optim.SGD(module.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum)
    rng = np.random.default_rng([SEED, member, 3])
    for _ in range(AFTER):
        for batch in torch.as_tensor(rng.permutation(len(y))).split(RECIPE.batch_size):
            step.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
            step.step()
            with torch.no_grad():
                for p, mask in kept:
                    p.mul_(mask)
    return module


# -- pictures on which the majority changes --------------------------------------------------------------


def exemplars(
    small: tuple[Ints, Ints], large: tuple[Ints, Ints], data: Dataset, score: Floats, hard: Floats
) -> dict[str, Any]:
    """Pictures on which the majorities of two sets of networks differ: of all, and of groups of networks.

    Each set: answers on the training and on the test pictures.  Scores are of the first, `hard` (the share
    of other networks that are right) of the second.
    """
    differ, differ_test = (vote(a) != vote(b) for a, b in zip(small, large, strict=True))
    parts = np.arange(NETS).reshape(GROUPS, -1)
    each = [[vote(a[p]) != vote(b[p]) for p in parts] for a, b in zip(small, large, strict=True)]
    found: dict[str, Any] = {
        "train": int(differ.sum()),
        "test": int(differ_test.sum()),
        "by score": [int(differ[buckets(score, SCORES) == b].sum()) for b in range(len(SCORES) + 1)],
        "train, groups": mean([d.sum() for d in each[0]]),
        "test, groups": mean([d.sum() for d in each[1]]),
    }
    if differ.any():
        area = auc(score, differ)
        found |= {"mean score": r(score[differ].mean()), "auc": r([area.value, area.se])}
        found["mean score, groups"] = mean([score[d].mean() for d in each[0] if d.any()])
    if differ_test.any():
        right = large[1] == data.y_test
        found["dense right on them"] = mean(right[:, differ_test].mean(axis=1))
        found["dense right elsewhere"] = mean(right[:, ~differ_test].mean(axis=1))
        found["small right on them"] = mean((small[1] == data.y_test)[:, differ_test].mean(axis=1))
        found["others right on them"] = r(hard[differ_test].mean())
    return found


def changed(small: Ints, large: Ints) -> dict[str, Any]:
    """Numbers of the training pictures on which the majorities differ, and both answers."""
    before, after = vote(large), vote(small)
    rows = np.flatnonzero(before != after)
    return {"picture": rows.tolist(), "before": before[rows].tolist(), "after": after[rows].tolist()}


def churn(small: Ints, large: Ints, y: NDArray[np.integer]) -> dict[str, Any]:
    """Share of the test pictures answered differently, lost and won, network by network."""
    right, was = small == y, large == y
    parts = {"differ": small != large, "lost": was & ~right, "won": right & ~was}
    return {name: mean(part.mean(axis=1)) for name, part in parts.items()}


# -- margins ---------------------------------------------------------------------------------------------


def rounded(weight: Floats, bits: int) -> tuple[Floats, Floats]:
    """Round each row to whole steps, as `quantize` does; rows and steps."""
    step = abs(weight).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 0.5)
    whole = np.clip(np.round(weight / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return whole * step, step[:, 0]


def certified(module: nn.Module, x: Floats, bits: int) -> tuple[Bools, Bools, Bools, Bools]:
    """What the theorem certifies by steps and by exact changes; decisions that change; contradictions."""
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in module.parameters())
    (v1, s1), (v2, s2) = rounded(w1, bits), rounded(w2, bits)
    hidden, hidden_small = (np.maximum(x @ w.T + b1, 0) for w in (w1, v1))
    z, z_small = hidden @ w2.T + b2, hidden_small @ v2.T + b2
    top, rows = z.argmax(axis=1), np.arange(len(x))
    gap = z[rows, top][:, None] - z
    apart = abs(v2[:, None] - v2[None])  # (classes, classes, hidden)
    safe = []
    for first, last in (
        (abs(x).sum(axis=1)[:, None] * s1 / 2, hidden.sum(axis=1)[:, None, None] * (s2[:, None] + s2) / 2),
        (
            abs(x) @ abs(v1 - w1).T,
            np.einsum("nh,ykh->nyk", hidden, abs((v2 - w2)[:, None] - (v2 - w2)[None])),
        ),
    ):
        bound = np.einsum("nh,ykh->nyk", first, apart) + last
        enough = gap > bound[rows, top]
        enough[rows, top] = True
        safe.append(enough.all(axis=1))
    changed = z_small.argmax(axis=1) != top
    return safe[0], safe[1], changed, changed & (safe[0] | safe[1])


def margins(dense: list[nn.Module], data: Dataset, score: Floats) -> dict[str, Any]:
    """Margins by score; how many pictures are certified; changes at equal margin."""
    z = logits(dense, data.x).astype(np.float64)
    two = np.sort(z, axis=-1)[:, :, -2:]
    gap = two[:, :, 1] - two[:, :, 0]
    which = buckets(score, SCORES)
    kinds = range(len(SCORES) + 1)
    x = data.x.astype(np.float64)
    rows: dict[str, Any] = {
        "quantiles": {
            str(q): brief([[np.quantile(g[which == b], q) for b in kinds] for g in gap])
            for q in (0.1, 0.5, 0.9)
        }
    }
    rows["certified"] = {}
    for bits in CERTIFIED_BITS:
        runs = [certified(m, x, bits) for m in dense[:FEW]]
        safe, exact, changed, wrong = (np.stack(column) for column in zip(*runs, strict=True))
        assert not wrong.any(), "the theorem is violated"
        by = lambda a: brief([[row[which == b].mean() for b in kinds] for row in a])  # noqa: E731
        rows["certified"][str(bits)] = {"steps": by(safe), "exact": by(exact), "changed": by(changed)}
    low, high = score < SCORES[0], score >= SCORES[1]
    edges = np.quantile(gap[:, high], (0.2, 0.4, 0.6, 0.8))
    rows["edges"] = r(edges)
    for name, small in (
        ("pruned 0.8", [prune(m, 0.8) for m in dense]),
        ("3 bits", [quantize(m, 3) for m in dense]),
    ):
        changed = logits(small, data.x).argmax(-1) != z.argmax(-1)
        found = {}
        for side, part in (("low", low), ("high", high)):
            found[side] = share(
                [
                    [c[part & (np.digitize(g, edges) == b)] for b in range(5)]
                    for c, g in zip(changed, gap, strict=True)
                ]
            )
        found["all"] = brief([[c[part].mean() for part in (low, high)] for c in changed])
        rows[name] = found
    rows["norms"] = r([abs(x).sum(axis=1).mean(), np.sqrt((x**2).sum(axis=1)).mean()])
    return rows


def main() -> None:
    """Train, compress, count, write."""
    torch.set_num_threads(1)
    train, test = fashion_mnist("train"), fashion_mnist("test")
    data = Dataset(train.inputs, train.labels, test.inputs, test.labels)
    known, _ = measured("fashion_mnist_subset")
    score, hard = known.memorization, known.learned.correct_test.mean(axis=0)
    pairs, lean = known.influence_pairs(), np.zeros(len(test.labels))
    np.maximum.at(lean, pairs.test, pairs.value)
    at_least = buckets(lean, LEAN)
    alike = (hard >= HARD[1]) & (hard < HARD[2])  # of middling difficulty: with a partner or not
    print("pairs known", file=sys.stderr)

    def answers(modules: list[nn.Module]) -> tuple[Ints, Ints]:
        return logits(modules, data.x).argmax(-1), logits(modules, data.x_test).argmax(-1)

    def row(found: tuple[Ints, Ints]) -> dict[str, Any]:
        right, right_test = found[0] == data.y, found[1] == data.y_test
        return {
            "train": mean(right.mean(axis=1)),
            "test": mean(right_test.mean(axis=1)),
            "by score": groups(right, buckets(score, SCORES)),
            "by influence": groups(right_test, at_least),
            "by difficulty": groups(right_test, buckets(hard, HARD)),
            "middling, by partner": groups(right_test[:, alike], (at_least[alike] > 0).astype(np.int64)),
        }

    wide = train_modules(data, mlp(784, WIDTHS[0], CLASSES), range(2 * NETS), 1.0, RECIPE, SEED)
    dense, others = wide[:NETS], wide[NETS:]
    base, control = answers(dense), answers(others)
    small = {f"pruned {s}": answers([prune(m, s) for m in dense]) for s in SPARSITIES}
    small |= {f"{b} bits": answers([quantize(m, b) for m in dense]) for b in BITS}
    print("compressed", file=sys.stderr)
    for w in WIDTHS[1:]:
        small[f"width {w}"] = answers(
            train_modules(data, mlp(784, w, CLASSES), range(NETS), 1.0, RECIPE, SEED)
        )
        print("width", w, file=sys.stderr)
    again = {}
    for name, s in (("dense", 0.0), ("pruned 0.8", 0.8), ("pruned 0.9", 0.9), ("pruned 0.95", 0.95)):
        again[name] = answers([retrain(prune(m, s), data, k) for k, m in enumerate(dense[:FEW])])
    results = {
        "networks": NETS,
        "networks retrained": FEW,
        "groups": GROUPS,
        "edges": {"score": SCORES, "influence": LEAN, "difficulty": HARD},
        "scores": {"mean": r(score.mean()), "by bucket": np.bincount(buckets(score, SCORES)).tolist()},
        "rows": {"dense": row(base), **{name: row(a) for name, a in small.items()}},
        "retrained": {name: row(a) for name, a in again.items()},
        "churn": {
            name: churn(a[1], base[1], data.y_test) for name, a in ({"other dense": control} | small).items()
        },
        "churn, retrained": {
            name: churn(a[1], again["dense"][1], data.y_test) for name, a in again.items() if name != "dense"
        },
        "changed": {name: changed(small[name][0], base[0]) for name in ("pruned 0.8", "width 16")},
        "exemplars": {
            "other dense": exemplars(control, base, data, score, hard),
            **{name: exemplars(a, base, data, score, hard) for name, a in small.items()},
        },
        "exemplars against others": {
            name: exemplars(a, control, data, score, hard) for name, a in small.items() if "width" not in name
        },
        "margins": margins(dense, data, score),
    }
    save(__file__, SEED, results, "torch", "torchao", folder=MEASURED)


if __name__ == "__main__":
    main()
