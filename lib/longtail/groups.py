"""Who pays: one limit on memorization, priced for groups with their own tails (Feldman 2020, section 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longtail import _checks
from longtail._checks import Reading
from longtail.learners import CountLearner, memorizer
from longtail.priors import FrequencyPrior


@dataclass(frozen=True)
class Group:
    """A part of the population with subpopulations of its own, disjoint from those of the others.

    Attributes
    ----------
    name
        What it is called.
    prior
        Frequency prior of its subpopulations.
    n
        How many examples of the sample are from this group.
    """

    name: str
    prior: FrequencyPrior
    n: int


@dataclass(frozen=True)
class GroupCost:
    """What a learner costs one group.

    Attributes
    ----------
    name
        The group.
    share
        Its share of the sample, and of the population.
    optimal_error
        Error of the best learner within the group.
    price
        What the learner at hand adds to it.
    """

    name: str
    share: float
    optimal_error: float
    price: float


def disparate_price(
    groups: Sequence[Group], classes: int, learner: CountLearner, reading: Reading = "fixed"
) -> list[GroupCost]:
    """Price of a learner for each group, and last for all of them together.

    Groups share no subpopulation, so that a group's price depends on its own prior and its own sample size
    alone; the whole pays the average, weighted by the shares.

    Parameters
    ----------
    groups
        At least one group.
    classes
        Number of equally likely labels, at least 2.
    learner
        A learner that goes by counts, such as ``limited(0.5)``.
    reading
        As in `longtail.tau`.

    Returns
    -------
    list of GroupCost
        One for each group, in order, then one named ``"all"``.

    Raises
    ------
    ValueError
        If there is no group, or if two have the same name.

    Examples
    --------
    The paper's first mixture: one prior, sample sizes 50,000 and 10,000.

    >>> from longtail.learners import fits_singletons_with
    >>> zipf = FrequencyPrior.zipf(5_000)
    >>> groups = [Group("large", zipf, 50_000), Group("small", zipf, 10_000)]
    >>> costs = disparate_price(groups, classes=10, learner=fits_singletons_with(0.6))
    >>> [f"{cost.name} {cost.price:.4f}" for cost in costs]
    ['large 0.0146', 'small 0.0353', 'all 0.0181']
    """
    names = [group.name for group in groups]
    if not names or len(set(names)) < len(names) or "all" in names:
        raise ValueError(f"groups must have names of their own, none of them 'all', got {names}")
    sizes = [_checks.whole(f"n of group {group.name!r}", group.n, 1) for group in groups]
    costs = []
    for group, n in zip(groups, sizes, strict=True):
        best = memorizer.error(group.prior, n, classes, reading)
        paid = learner.error(group.prior, n, classes, reading)
        costs.append(GroupCost(group.name, n / sum(sizes), best, paid - best))
    best, price = (sum(c.share * getattr(c, part) for c in costs) for part in ("optimal_error", "price"))
    return [*costs, GroupCost("all", 1.0, best, price)]
