"""Warnings: each appears where it should, and only there."""

import numpy as np
import pytest
from longtail import audit
from longtail.cautions import chance_agreement

rng = np.random.default_rng(1)
ZIPF = rng.zipf(1.7, 1000)


def said(group=(), **columns):
    label = "label" if "label" in columns else None
    return " ".join(audit(columns, "cell", group, label).warnings)


def test_nothing_is_said_of_good_data():
    assert said(cell=ZIPF, label=ZIPF % 3, who=np.arange(1000) % 2, group="who") == ""


def test_few_rows_of_all_or_of_a_group():
    assert said(cell=["a", "a", "b"]) == "3 rows are few: read the intervals, not the estimates."
    who = np.where(np.arange(1000) < 7, "few", "many")
    assert said(cell=ZIPF, who=who, group="who").startswith("few rows in few (7): read their intervals")
    assert "(100), ...: read" in said(cell=ZIPF, who=np.arange(1000) % 10, group="who")


def test_cells_as_many_as_rows():
    assert "1,000 of 1,000 rows are the only one of their subpopulation" in said(cell=np.arange(1000))


def test_no_tail_is_about_prices_not_about_rows_alone():
    assert "no tail" in said(cell=np.arange(1000) % 10)
    almost = np.append(np.arange(10_000) % 10, [10])  # one row is alone, and still there is no tail
    assert "no tail" in said(cell=almost)
    pairs = np.repeat(np.arange(500), 2)  # no row is alone, and yet each was seen once by the others
    assert "no tail" not in said(cell=pairs)
    assert "no tail" not in said(cell=np.arange(100) % 10)  # too few rows to say so


@pytest.mark.parametrize("times", [2, 3, 4])
def test_rows_that_are_copies(times):
    assert f"seen {times} times than independent rows allow" in said(cell=np.repeat(ZIPF, times))


def test_no_false_alarm_of_copies():
    """For equal frequencies the inequality behind it is an equality: the hardest case."""
    for draw in (
        lambda r: r.integers(500, size=1000),
        lambda r: r.zipf(1.2, 1000),
        lambda r: r.geometric(0.01, 1000),
    ):
        for seed in range(100):
            assert "copies" not in said(cell=draw(np.random.default_rng(seed)))


def test_a_group_inside_the_subpopulation_and_one_called_all():
    sex = np.arange(1000) % 2
    assert "group and subpopulation share 'cell'" in said(cell=sex, group="cell")
    assert "share" not in said(cell=ZIPF, sex=sex, group="sex")
    who = np.where(sex, "all", "some")
    assert "a group is called 'all' too" in said(cell=ZIPF, who=who, group="who")


def test_agreement_is_compared_with_chance():
    coin, rare = rng.integers(2, size=1000), rng.random(1000) < 0.01
    assert "same label with chance 0.5" in said(cell=ZIPF, label=coin)
    warning = said(cell=ZIPF, label=rare)  # nearly all agree, in a subpopulation or not
    assert "same label with chance 0.9" in warning
    assert said(cell=ZIPF, label=ZIPF == 5) == ""  # as rare, and decided by the subpopulation


def test_chance_agreement_by_hand():
    assert chance_agreement(np.array([2, 1, 1])) == pytest.approx(2 / 12)


def test_a_label_that_is_no_class():
    assert "label has 1,000 values in 1,000 rows: it is hardly a class" in said(
        cell=ZIPF, label=np.arange(1000)
    )
