"""What one network of an ensemble costs against its size, for the chapter `scaling_up`.

    python benchmarks/scaling_up.py

Networks of seven sizes on random data in several amounts, in seconds of one core; beside them the rate of a
large matrix product.  About two minutes.  Time does not depend on the values of the data.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from _provenance import MEASURED, save
from _timing import seconds
from longtail.ensembles import Dataset, Recipe, mlp, train_members

SEED, ROUNDS, MEMBERS, RECIPE = 0, 5, 8, Recipe(epochs=4, batch_size=128, lr=0.02)
SIZES = (
    (64, 32, 10), (64, 128, 10), (196, 128, 10), (784, 128, 10),
    (784, 512, 10), (784, 1024, 10), (784, 512, 512, 10),
)  # fmt: skip
EXAMPLES = (512, 2048, 8192)
LARGE = 2048  # side of the matrices whose product says what the core can do


def network(sizes: tuple[int, ...], examples: int) -> dict[str, object]:
    """Seconds for one network of these sizes, trained on so many examples."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((examples + 1, sizes[0]), dtype=np.float32)
    y = rng.integers(sizes[-1], size=examples + 1)
    data = Dataset(x, y, x[:1], y[:1])
    fraction = examples / (examples + 1)
    work = partial(train_members, data, mlp(*sizes), range(MEMBERS), fraction, RECIPE, SEED)
    return {"sizes": sizes, "examples": examples, "seconds": round(seconds(work, ROUNDS) / MEMBERS, 6)}


def matrix_rate() -> float:
    """Floating-point operations a second of one core in a large product."""
    a = torch.rand(LARGE, LARGE)
    return 2 * LARGE**3 / seconds(lambda: a @ a, ROUNDS)


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    networks = [network(sizes, examples) for sizes in SIZES for examples in EXAMPLES]
    settings = {"epochs": RECIPE.epochs, "batch_size": RECIPE.batch_size, "members": MEMBERS}
    results = {**settings, "matrix rate": round(matrix_rate(), -7), "networks": networks}
    save(__file__, SEED, results, "torch", folder=MEASURED)


if __name__ == "__main__":
    main()
