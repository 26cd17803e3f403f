"""The explorer page: its numbers against the library, its controls as a reader uses them."""

import json
import os
import re
from urllib.parse import parse_qs, urlsplit

import longtail as lt
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import DESKTOP, HTML, PHONE, chromium, launched, served, stay_home
from chapters import BOOK
from longtail import FrequencyPrior
from longtail.datasets import ADULT_ATTRIBUTES, adult, austen_words, cells
from longtail.noise import label_confidence

pytestmark = pytest.mark.browser

NAME = "book/practice/explorer.html"
MISSING = " and ".join(
    [*(["no Chromium"] * (chromium() is None)), *([f"no {NAME}"] * (not (HTML / NAME).exists()))]
)
if MISSING and not os.environ.get("LONGTAIL_REQUIRE_BROWSER"):
    pytest.skip(f"tests of the explorer are skipped: {MISSING}", allow_module_level=True)

START = {"prior": "zipf", "N": 50_000, "n": 50_000, "s": 1, "m": 10, "gamma": 0.5, "epsilon": 1, "noise": 0}
COMPUTE = "states => states.map(state => longtailExplorer.compute(state))"
TOO_WIDE = """() => [document.documentElement, document.querySelector('#explorer')]
    .map(element => element.scrollWidth - element.clientWidth)"""
LINK = re.compile(r'<a href="(\?[^"]*)#explorer" data-number="(\w+)">([\d.]+) %</a>')


@pytest.fixture(scope="module")
def home():
    assert not MISSING, f"browser tests are required, but there is {MISSING}"
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def window(home):
    """One window for all tests: its cache makes the later ones fast."""
    with launched() as browser:
        yield browser.new_page()


@pytest.fixture
def page(window, home):
    """The explorer as it is met first, by day on a desktop; it may neither fail nor leave this machine."""
    errors, outside = [], stay_home(window, home)
    window.on("pageerror", note := lambda error: errors.append(str(error)))
    window.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    window.emulate_media(color_scheme="light")
    visit(window, home + NAME)
    yield window
    window.unroute_all()
    window.remove_listener("pageerror", note)
    assert (errors, outside) == ([], [])


def visit(page, address):
    page.goto(address, wait_until="domcontentloaded")  # the script has run, formulas may follow


def state(**changes):
    return START | changes


def wanted(prior, setting):
    """All numbers of the page, by the library."""
    n, m, gamma, epsilon, noise = (setting[name] for name in ("n", "m", "gamma", "epsilon", "noise"))
    kappa = 1 - noise / (1 - 1 / m)
    return {
        "N": prior.N,
        "tau": lt.tau(prior, n),
        "singletonFraction": lt.singleton_fraction(prior, n),
        "singletons": lt.expected_count(prior, n, 1),
        "mass": lt.mass_seen(prior, n, 1),
        "unseen": lt.mass_seen(prior, n, 0),
        "optimalError": lt.optimal_error(prior, n, m),
        "priceOfNotFitting": lt.price_of_not_fitting(prior, n, m),
        "priceOfLimit": lt.price_of_limit(prior, n, m, gamma),
        "priceOfPrivacy": lt.price_of_privacy(prior, n, m, epsilon),
        "kappa": label_confidence(np.eye(m)[0], 0, kappa),
        "noisyPrice": label_confidence(np.eye(m)[0], 0, kappa) * lt.price_of_not_fitting(prior, n, m),
    }


def assert_numbers(page, states, priors):
    for given, prior, got in zip(states, priors, page.evaluate(COMPUTE, states), strict=True):
        assert got == pytest.approx(wanted(prior, given), rel=1e-6, abs=1e-290), given


def random_states(seed, how_many, largest):
    rng = np.random.default_rng(seed)
    for _ in range(how_many):
        m = round(2 * 500 ** rng.random())
        yield state(
            N=round(3 * (largest / 3) ** rng.random()),
            n=round(1e9 ** rng.random()),
            s=rng.choice([0, 1, 3 * rng.random()]),
            m=m,
            gamma=rng.random(),
            epsilon=10 * rng.random(),
            noise=rng.random() * (1 - 1 / m),
        )


# -- numbers -----------------------------------------------------------------------------------------------


def test_random_settings_agree_with_the_library(page):
    states = list(random_states(0, 50, 1e6))
    assert_numbers(page, states, [FrequencyPrior.zipf(s["N"], s["s"]) for s in states])


def test_the_ends_of_the_sliders_agree_with_the_library(page):
    states = [state(N=N, n=n, s=s) for N in (3, 10**6) for n in (1, 2, 10**9) for s in (0, 3)]
    assert_numbers(page, states, [FrequencyPrior.zipf(s["N"], s["s"]) for s in states])


def test_long_lists_agree_with_the_library(page):
    states = [
        *random_states(1, 20, 1e9),
        *(state(N=10**9, n=n, s=s) for n in (10**3, 10**9) for s in (0, 1, 3)),
    ]
    states += [state(N=N, n=10**9, s=s) for N in (32_768, 32_769, 10**5, 10**7) for s in (0.5, 1, 2)]
    assert_numbers(page, states, [FrequencyPrior.zipf(s["N"], s["s"]) for s in states])


@pytest.mark.parametrize(("n", "s"), [(10**6, 1), (10**9, 1.3), (10**9, 0.5)])
def test_a_long_list_agrees_with_the_plain_sum(page, n, s):
    """Rank by rank, without the library."""
    N = 5 * 10**6
    D = np.arange(1, N + 1, dtype=float) ** -s
    D /= D.sum()
    unseen = D * np.exp(n * np.log1p(-D))
    once = n * D * np.exp((n - 1) * np.log1p(-D))
    [got] = page.evaluate(COMPUTE, [state(N=N, n=n, s=s)])
    assert got["unseen"] == pytest.approx(unseen.sum(), rel=1e-6)
    assert got["singletons"] == pytest.approx(once.sum(), rel=1e-6)
    assert got["mass"] == pytest.approx(D @ once, rel=1e-6)


DATA = {
    "austen": lambda: FrequencyPrior.from_counts(austen_words().counts),
    "adult": lambda: FrequencyPrior.from_counts(np.bincount(cells(adult("train"), columns=ADULT_ATTRIBUTES))),
}


@pytest.mark.parametrize("name", DATA)
def test_real_data_are_the_library_s(page, name):
    prior = DATA[name]()
    values, weights = page.evaluate(
        f"[longtailExplorer.data.{name}.value, longtailExplorer.data.{name}.weight].map(a => Array.from(a))"
    )
    assert values == prior.values.tolist()
    assert weights == prior.multiplicities.tolist()
    states = [state(prior=name, n=n) for n in (1, 3000, 50_000, 10**9)]
    assert_numbers(page, states, [prior] * len(states))


@pytest.mark.parametrize("link", LINK.findall((BOOK / "practice" / "explorer.md").read_text()))
def test_numbers_in_the_text_are_right(page, home, link):
    address, number, shown = link
    address = address.replace("&amp;", "&")
    given = START | {name: json.loads(value) for name, [value] in parse_qs(address[1:]).items()}
    right = 100 * wanted(FrequencyPrior.zipf(given["N"], given["s"]), given)[number]
    assert float(shown) == float(f"{right:.3g}")
    visit(page, home + NAME + address)
    assert page.inner_text(f"#explorer [data-number={number}]") == f"{shown} %"


# -- controls ----------------------------------------------------------------------------------------------


def settled(page):
    """The state in the address, once the page has written it there."""
    page.evaluate("new Promise(done => setTimeout(done, 350))")  # set after the page's own 300 ms
    return {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}


def test_sliders_follow_the_keyboard(page):
    slider = page.locator("[data-field=s] input[type=range]")
    slider.focus()
    before = page.inner_text("[data-number=priceOfNotFitting]")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.input_value("#explorer-s") == "1.1"
    assert slider.get_attribute("aria-valuetext") == "1.1"
    assert page.inner_text("[data-number=priceOfNotFitting]") != before == "7.23 %"
    assert settled(page)["s"] == "1.1"


def test_every_slider_reaches_both_ends(page):
    ends = {"N": (3, 1e9), "n": (1, 1e9), "s": (0, 3), "m": (2, 1000), "gamma": (0, 1), "epsilon": (0, 10)}
    for name, both in (ends | {"noise": (0, 0.999)}).items():
        slider = page.locator(f"[data-field={name}] input[type=range]")
        for key, end in zip(("Home", "End"), both, strict=True):
            slider.focus()
            page.keyboard.press(key)
            assert float(page.input_value(f"#explorer-{name}")) == end, name


def test_the_address_keeps_the_state_and_the_summary_says_it(page):
    page.fill("#explorer-n", "12345")
    page.fill("#explorer-noise", "0.25")
    kept = settled(page)
    assert kept == {name: str(value) for name, value in state(n=12345, noise=0.25).items()}
    said = page.inner_text("#explorer [role=status]")
    assert "Of 12,350 examples" in said
    assert "25 % wrong labels" in said
    page.reload(wait_until="domcontentloaded")
    assert page.input_value("#explorer-n") == "12345"
    assert settled(page) == kept
    assert page.inner_text("#explorer [role=status]") == said
    page.get_by_label("Preset").select_option(index=1)
    assert settled(page) == {name: str(value) for name, value in START.items()}


PAPER = [  # the rows of the paper's table, as it prints them
    ("N = 50,000, n = 50,000", "priceOfNotFitting", 0.07, 0.005),
    ("N = 25,000, n = 50,000", "priceOfLimit", 0.031, 0.0005),
    ("N = 5,000, n = 50,000", "optimalError", 0.018, 0.0005),
    ("N = 5,000, n = 50,000", "priceOfLimit", 0.015, 0.0005),
    ("N = 5,000, n = 10,000", "optimalError", 0.113, 0.0005),
    ("N = 5,000, n = 10,000", "priceOfLimit", 0.035, 0.0005),
]


@pytest.mark.parametrize(("row", "number", "printed", "half"), PAPER)
def test_presets_are_the_papers_rows(page, row, number, printed, half):
    page.get_by_label("Preset").select_option(f"paper: {row}")
    shown = page.inner_text(f"#explorer [data-number={number}]")
    assert abs(float(shown.removesuffix(" %")) / 100 - printed) <= half
    assert page.input_value("#explorer-gamma") == "0.5"


@pytest.mark.parametrize(("name", "n"), [("austen", 50_000), ("adult", 3_000)])
def test_presets_are_real_data_too(page, name, n):
    [row] = page.locator(f"#explorer-preset option[value^='prior={name}']").all()
    page.get_by_label("Preset").select_option(row.get_attribute("value"))
    assert settled(page)["prior"] == name
    price = lt.price_of_not_fitting(DATA[name](), n, 10 if name == "austen" else 2)
    assert page.inner_text("[data-number=priceOfNotFitting]") == f"{100 * price:.3g} %"


def test_the_preset_says_what_is_set_and_follows_the_keyboard(page):
    preset = page.get_by_label("Preset")
    assert preset.input_value() == "N=50000&n=50000"
    page.fill("#explorer-m", "11")
    assert preset.input_value() == ""
    preset.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.input_value("#explorer-N") == "25000"
    assert page.input_value("#explorer-m") == "10"


def test_numbers_out_of_range_are_put_right(page):
    page.fill("#explorer-gamma", "7")
    page.keyboard.press("Tab")
    assert page.input_value("#explorer-gamma") == "1"
    page.fill("#explorer-noise", "0.9")
    page.fill("#explorer-m", "4")
    assert page.input_value("#explorer-noise") == "0.75"
    assert page.inner_text("[data-number=noisyPrice]") == "0 %"


def test_a_damaged_address_starts_anew_where_it_must(page, home):
    visit(page, home + NAME + "?prior=constructor&N=x&n=-5&s=&m=2.6&gamma=Infinity&noise=NaN")
    expected = state(n=1, m=3, gamma=1)
    assert settled(page) == {name: str(value) for name, value in expected.items()}


def test_real_data_hide_what_they_bring_along(page):
    page.select_option("#explorer-prior", "adult")
    assert page.locator("#explorer-N").is_hidden()
    assert settled(page)["prior"] == "adult"
    assert page.input_value("#explorer-m") == "2"
    price = lt.price_of_not_fitting(DATA["adult"](), 3000, 2)
    assert page.inner_text("[data-number=priceOfNotFitting]") == f"{100 * price:.3g} %"
    assert page.inner_text("[data-number=N]") == "8,688"
    page.select_option("#explorer-prior", "zipf")
    assert page.input_value("#explorer-N") == "50000"


def test_it_works_from_a_file(page):
    page.unroute_all()
    visit(page, (HTML / NAME).resolve().as_uri() + "?N=5000")
    assert page.input_value("#explorer-N") == "5000"
    page.fill("#explorer-n", "10000")
    assert settled(page)["n"] == "10000"


# -- everybody ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nobody_is_shut_out(page, scheme, size):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.reload(wait_until="domcontentloaded")
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.locator("#explorer svg .line").count() == 1
    assert max(page.evaluate(TOO_WIDE)) <= 0
    found = Axe().run(page, context="#explorer", options={"preload": False}).response["violations"]
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []


def test_letters_of_the_picture_stay_legible_on_a_phone(page):
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.wait_for_function("document.querySelector('#explorer svg').viewBox.baseVal.width < 390")
    heights = page.evaluate(
        "[...document.querySelectorAll('#explorer svg text')].map(t => t.getBoundingClientRect())"
        ".map(box => Math.min(box.width, box.height))"
    )
    assert min(heights) >= 11
