/* The explorer page: the prices of the library for a Zipf prior or real counts, in the reader's browser.
 *
 * All numbers are for the fixed reading: the frequencies are known, only which element has which is not.
 * tests/test_explorer.py holds `compute` against the library. No dependency, no network. */
(() => {
  "use strict";

  // ---- priors: lists of values with weights, largest value first ----

  // Counts of real data: `values` and `multiplicities` of FrequencyPrior.from_counts(...), as "value*times" or
  // only "value" if once. A test compares them with the library's data.
  const COUNTS = {
    austen: `
26357 24050 22517 21181 13410 13144 12046 11220 11217 10235 10205 8566 8169 8121 7726 7336 7323 7035 6648
5980 5918 5866 5266 4758 4757 3900 3882 3769 3655 3641 3617 3545 3258 3245 3228 3186 3113 3018 3011 2996
2795 2473 2461 2448 2324 2305 2250 2239 2228 2222 2199 2176 2166 2143 2085 2078 2043 1958 1937 1930 1900
1875 1860 1847 1773 1645 1633 1551 1525 1499 1485 1481 1457 1447 1443 1425 1410 1403 1382 1369 1367 1360
1339 1334 1299 1260 1202 1188 1176 1087 1085 1083 1075 1059 1058 1048*2 1001 982 980 978 976 961 954 925 882
871 862 846 845 840 839 836 831 827 822 821 819 813 807 797*2 790 787 773 767 742 727 725 714 705 699 693
689 687*2 684 682 664 644*2 640 639 636 632*2 623 622 620 613 608 601 593 587 579 578 577 574 572 569 565
563 558 552 550 545 541 540 539*2 536 534 529 527 519 516 509 505*2 504 503 495*2 493 492 491 489 488 481
478 471*2 469 468 467 466*2 465 464 462 455 454*2 450 435 433 428 426 425 424 419 418 417*2 413*2 412 411
407*2 405*2 404 402 401 395 393 392 390 389*2 388 387*3 386 384*2 382 381 378 377 376 374 369*2 368 365 362
360 357 356 352 349 347 346 343 342*3 337*2 336 334 333 331*2 329*2 328*3 326*2 325 324 323*4 322 320*2 317
316 314 310 309 308 306 304 303*2 299 298 297*2 295*2 294*4 293*2 292*4 290*2 288*2 287 286*2 283*2 282
281*3 278*2 276 275 272*3 271*2 267 265 264 263*2 262 260 259 258 257 255 254 249*3 247*2 246 245*4 244
243*3 242*2 241*3 240*2 239 238*2 237 236 235*2 233*3 232*2 231*3 230 229*2 228 227 226*3 225 224 223*3
221*2 220*2 219*3 217*2 216*2 215*2 214*3 213 212 211 210*4 209*4 208*2 207 206 205*2 204*2 201*3 200*2
199*2 198*2 197*2 196*6 195 194*3 193*4 192*3 191*3 190 189*5 188*2 187*3 186*2 185*3 184*6 183 182 181
180*2 179*4 178*3 174*6 173*2 172*3 171*3 170*3 169*3 168 167*2 166*3 165*3 163*2 162*5 161*4 160*2 159*2
158*3 157*3 156*2 155*2 154 153*6 151 150*4 149*3 148*4 147*4 146 145*4 144 143*5 142*4 141 140*4 139*2
138*2 137 136*3 135 134 133*9 132*4 131*2 130*7 129*4 128*3 127*2 126*6 125*5 124*4 123*5 122*5 121*5 120*8
119*6 118*5 117*2 116*7 115*7 114*7 113*7 112*4 111*4 110*3 109*2 108 107*7 106*3 105*10 104*4 103*5 102*10
101*3 100*8 99*6 98*3 97*11 96*10 95*13 94*4 93*7 92*5 91*6 90*9 89*7 88*6 87*5 86*6 85*5 84*9 83*3 82*7
81*10 80*10 79*17 78*6 77*9 76*10 75*8 74*15 73*11 72*12 71*10 70*15 69*12 68*8 67*12 66*18 65*20 64*19 63*8
62*13 61*12 60*11 59*15 58*14 57*21 56*23 55*12 54*25 53*15 52*21 51*18 50*22 49*22 48*26 47*36 46*15 45*21
44*19 43*40 42*21 41*28 40*37 39*33 38*34 37*38 36*43 35*39 34*37 33*33 32*40 31*41 30*45 29*55 28*39 27*47
26*59 25*55 24*60 23*63 22*75 21*83 20*90 19*81 18*108 17*91 16*105 15*130 14*145 13*135 12*174 11*173
10*223 9*254 8*297 7*362 6*451 5*546 4*784 3*1058 2*1836 1*4498`,
    adult: `
803 448 368 345 332 309 274*2 237 216 196 171 150 145 143 139 130 126 123 121 119 117 116 115*2 113*2 104
103 102 101 99 98 96*2 95 94*2 92 90*2 89 87*2 86 83*2 80 79*2 77 76*3 74 73 72 70 69*3 68 66 65*2 64*2 63*2
62*4 60*5 59*4 58 57*3 56 55*2 54*2 53*2 52*2 51*3 50 49 48*2 47*2 46 45*3 44*2 43*3 42*3 41*2 40*4 39*3
38*7 37*6 36*7 35*2 34*6 33*3 32*4 31*5 30*6 29*4 28*8 27*6 26*6 25*7 24*7 23*10 22*9 21*18 20*16 19*15
18*12 17*19 16*20 15*21 14*19 13*17 12*33 11*31 10*41 9*71 8*58 7*72 6*128 5*144 4*270 3*448 2*1133 1*5874`,
  };

  const EXACT = 16384; // ranks summed one by one at either end of a long Zipf list
  const GROWTH = 1.1; // last over first rank of a block between: the log of a summand bends little in it
  const GAUSS = gaussLegendre(16);

  /** Nodes and weights on [-1, 1], by Newton's method on the Legendre polynomial. */
  function gaussLegendre(order) {
    return Array.from({ length: order }, (_, i) => {
      let x = Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
      let slope;
      for (let step = 0; step < 10; step++) {
        let [before, p] = [1, x];
        for (let k = 2; k <= order; k++) [before, p] = [p, ((2 * k - 1) * x * p - (k - 1) * before) / k];
        slope = (order * (x * p - before)) / (x * x - 1);
        x -= p / slope;
      }
      return [x, 2 / ((1 - x * x) * slope * slope)];
    });
  }

  /** Ranks 1..N with weights such that sums of smooth functions over the ranks come out right.
   *
   * A block first..last between the exact ends is the integral from first - 1/2 to last + 1/2. By Euler and
   * Maclaurin that misses the slopes at its ends over 24, relatively about 1 / EXACT^2. The last ranks are exact
   * too: for large n the summand may live on them alone. */
  function ranks(N) {
    const nodes = [];
    const add = (first, last) => {
      for (let rank = first; rank <= last; rank++) nodes.push([rank, 1]);
    };
    if (N <= 2 * EXACT) {
      add(1, N);
      return nodes;
    }
    add(1, EXACT);
    const end = N - EXACT + 0.5;
    for (let low = EXACT + 0.5; low < end; ) {
      const high = Math.min(end, low * GROWTH);
      const half = (high - low) / 2;
      for (const [x, weight] of GAUSS) nodes.push([low + half * (1 - x), half * weight]);
      low = high;
    }
    add(N - EXACT + 1, N);
    return nodes;
  }

  let lastRanks = { N: 0 }; // most sliders leave N as it is

  function zipf(N, s) {
    if (lastRanks.N !== N) lastRanks = { N, nodes: ranks(N) };
    const nodes = lastRanks.nodes;
    return {
      N,
      rank: nodes.map(([rank]) => rank),
      value: Float64Array.from(nodes, ([rank]) => Math.exp(-s * Math.log(rank))),
      weight: Float64Array.from(nodes, ([, weight]) => weight),
    };
  }

  function fromCounts(text) {
    const pairs = text.trim().split(/\s+/).map((word) => word.split("*").map(Number));
    const weight = Float64Array.from(pairs, ([, times = 1]) => times);
    let N = 0;
    const rank = Array.from(weight, (times) => (N += times)); // the last rank that has the value
    return { N, rank, value: Float64Array.from(pairs, ([value]) => value), weight };
  }

  const DATA = Object.fromEntries(Object.entries(COUNTS).map(([name, text]) => [name, fromCounts(text)]));

  /** The prior of a state, with frequencies. */
  function priorOf(state) {
    const prior = Object.hasOwn(DATA, state.prior) ? DATA[state.prior] : zipf(state.N, state.s);
    const total = prior.value.reduce((sum, value, i) => sum + value * prior.weight[i], 0);
    return { ...prior, frequency: prior.value.map((value) => value / total) };
  }

  // ---- prices ----

  /** Terms weight D^l (1 - D)^(n - l), divided by exp(scale) because they may all be tiny. */
  function likelihoods({ frequency, weight }, n, l) {
    const logs = frequency.map((D) => (l ? l * Math.log(D) : 0) + (n - l) * Math.log1p(-D));
    const scale = logs.reduce((a, b) => Math.max(a, b));
    return { scale, terms: logs.map((log, i) => weight[i] * Math.exp(log - scale)) };
  }

  /** S_j = sum of D^(l + j) (1 - D)^(n - l) for j = 0 and 1, divided by exp(scale): `longtail.moments`. */
  function moments(prior, n, l) {
    const { scale, terms } = likelihoods(prior, n, l);
    return {
      scale,
      s0: terms.reduce((a, b) => a + b),
      s1: terms.reduce((sum, term, i) => sum + term * prior.frequency[i], 0),
    };
  }

  /** All numbers of the page. Names and formulas are those of `longtail.price`; noise is a corollary's. */
  function compute(state, prior = priorOf(state)) {
    const { n, m } = state;
    const [none, once] = [moments(prior, n, 0), moments(prior, n, 1)];
    const singletonFraction = once.s0 * Math.exp(once.scale); // E[Phi_1] / n
    const mass = n * once.s1 * Math.exp(once.scale); // tau_1 E[Phi_1]
    const unseen = none.s1 * Math.exp(none.scale);
    const guess = 1 / m;
    // What label privacy allows on one copy, attained by randomized response.
    const privateFit = 1 / (1 + (m - 1) * Math.exp(-state.epsilon));
    // A wrong label comes from a random draw, which one time in m is right by chance.
    const kappa = Math.max(0, 1 - state.noise / (1 - guess));
    return {
      N: prior.N,
      tau: once.s1 / once.s0,
      singletonFraction,
      singletons: n * singletonFraction,
      mass,
      unseen,
      optimalError: unseen * (1 - guess),
      priceOfNotFitting: mass * (1 - guess),
      priceOfLimit: mass * Math.max(0, 1 - guess - state.gamma),
      priceOfPrivacy: mass * (1 - privateFit),
      kappa,
      noisyPrice: kappa * mass * (1 - guess),
    };
  }

  // ---- the state, and its place in the address ----

  const FIELDS = {
    N: { min: 3, max: () => 1e9, start: 50000, log: true, steps: 400, whole: true },
    n: { min: 1, max: () => 1e9, start: 50000, log: true, steps: 400, whole: true },
    s: { min: 0, max: () => 3, start: 1, steps: 300 },
    m: { min: 2, max: () => 1000, start: 10, log: true, steps: 200, whole: true },
    gamma: { min: 0, max: () => 1, start: 0.5, steps: 100 },
    epsilon: { min: 0, max: () => 10, start: 1, steps: 200 },
    noise: { min: 0, max: ({ m }) => 1 - 1 / m, start: 0, steps: 100 },
  };
  const NAMES = Object.keys(FIELDS); // m stands before noise, whose largest value depends on it

  /** A state in which every value is a number in its range; what cannot be read starts anew. */
  function clean(raw) {
    const state = { prior: Object.hasOwn(DATA, raw.prior ?? "") ? raw.prior : "zipf" };
    for (const name of NAMES) {
      const { min, max, start, whole } = FIELDS[name];
      const given = String(raw[name] ?? "").trim();
      const number = given === "" || Number.isNaN(Number(given)) ? start : Number(given);
      const inside = Math.min(max(state), Math.max(min, number));
      state[name] = whole ? Math.round(inside) : Number(inside.toPrecision(6));
    }
    return state;
  }

  /** The state of a preset: what it does not name is as at the start. */
  const preSet = (row) => clean(Object.fromEntries(new URLSearchParams(row)));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  const readAddress = () => clean(Object.fromEntries(new URLSearchParams(location.search)));

  /** The slider's step for a value, and back; three digits are enough where a hand chooses. */
  function toStep(name, state) {
    const { min, max, log, steps } = FIELDS[name];
    const scale = log ? Math.log : Number;
    const [low, high] = [scale(min), scale(max(state))];
    return Math.round((steps * (scale(state[name]) - low)) / (high - low));
  }

  function fromStep(name, state, step) {
    const { min, max, log, steps } = FIELDS[name];
    if (step === steps) return max(state);
    const share = step / steps;
    const value = log ? min * (max(state) / min) ** share : min + share * (max(state) - min);
    return Number(value.toPrecision(3));
  }

  // ---- words and numbers ----

  const count = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });
  const raised = (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)];
  const power = (exponent) => "10" + String(exponent).replace(/./g, raised);

  function small(value) {
    if (value === 0 || Math.abs(value) >= 1e-3) return String(Number(value.toPrecision(3)));
    const [digits, exponent] = value.toExponential(2).split("e");
    return `${digits} · ${power(Number(exponent))}`;
  }

  const percent = (share) => `${small(100 * share)} %`;

  const FORMATS = { tau: small, kappa: small, N: count, singletons: count };

  function summary(state, numbers) {
    const noise = state.noise
      ? ` With ${percent(state.noise)} wrong labels guessing on singletons adds ${percent(numbers.noisyPrice)}.`
      : "";
    return (
      `Of ${count(state.n)} examples ${percent(numbers.singletonFraction)} are singletons. ` +
      `The best learner errs on ${percent(numbers.optimalError)}. ` +
      `Guessing on singletons adds ${percent(numbers.priceOfNotFitting)}, ` +
      `the limit γ = ${state.gamma} on them ${percent(numbers.priceOfLimit)}, ` +
      `and label privacy with ε = ${state.epsilon} adds ${percent(numbers.priceOfPrivacy)}.${noise}`
    );
  }

  // ---- the picture: frequency against rank, both axes in powers of ten ----

  const HEIGHT = 320;
  const MARGIN = { left: 58, right: 14, top: 14, bottom: 46 };

  /** Ranks between which the middle 90 % of the expected singletons lie. */
  function middle(prior, n) {
    const { terms } = likelihoods(prior, n, 1);
    const total = terms.reduce((a, b) => a + b);
    let sum = 0;
    const upTo = Array.from(terms, (term) => (sum += term) / total);
    const rankAt = (share) => prior.rank[upTo.findIndex((part) => part >= share)] ?? prior.N;
    return [rankAt(0.05), rankAt(0.95)];
  }

  /** Corners of the line; equal values of real data make steps. */
  function corners({ rank, frequency, N }, isData) {
    if (!isData) return [[1, frequency[0]], [N, frequency[frequency.length - 1]]]; // straight, on log axes
    return rank.flatMap((last, i) => [[i ? rank[i - 1] + 1 : 1, frequency[i]], [last, frequency[i]]]);
  }

  /** Whole powers of ten in a range of logarithms, thinned out to about six. */
  function decades(low, high) {
    const every = Math.max(1, Math.ceil((high - low) / 6));
    const found = [];
    for (let k = Math.ceil(low / every) * every; k <= high; k += every) found.push(k);
    return found;
  }

  const text = (x, y, anchor, words) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;

  function draw(svg, state, prior) {
    const width = svg.clientWidth || 640; // in pixels, so that letters stay legible on a phone
    const line = corners(prior, state.prior !== "zipf");
    const once = Math.log10(1 / state.n);
    const lowest = Math.min(once, Math.log10(line[line.length - 1][1]));
    const [bottom, top] = [Math.floor(lowest - 0.1), 0];
    const widest = Math.log10(prior.N);
    const px = (log) => MARGIN.left + (log / widest) * (width - MARGIN.left - MARGIN.right);
    const py = (log) => MARGIN.top + ((top - log) / (top - bottom)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const place = ([rank, D]) => `${px(Math.log10(rank)).toFixed(1)},${py(Math.log10(D)).toFixed(1)}`;
    const [from, to] = middle(prior, state.n);
    const ends = [px(Math.log10(from)), px(Math.log10(to))];
    const [left, right, floor] = [MARGIN.left, width - MARGIN.right, HEIGHT - MARGIN.bottom];
    const middleY = (MARGIN.top + floor) / 2;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute(
      "aria-label",
      `Frequency against rank on logarithmic axes, from ${small(line[0][1])} at rank 1 to ` +
        `${small(line[line.length - 1][1])} at rank ${count(prior.N)}. ` +
        `Nine in ten expected singletons have ranks ${count(from)} to ${count(to)}.`,
    );
    svg.innerHTML = [
      `<path class="band" d="M${ends[0]},${MARGIN.top}H${Math.max(ends[0] + 2, ends[1])}V${floor}H${ends[0]}Z"/>`,
      `<path class="axis" d="M${left},${MARGIN.top}V${floor}H${right}"/>`,
      ...decades(0, widest).map((k) => text(px(k), floor + 18, "middle", power(k))),
      ...decades(bottom, top).map((k) => text(left - 6, py(k) + 4, "end", power(k))),
      text((left + right) / 2, HEIGHT - 6, "middle", "rank"),
      `<g transform="translate(14 ${middleY}) rotate(-90)">${text(0, 0, "middle", "frequency")}</g>`,
      `<path class="once" d="M${left},${py(once)}H${right}"/>`,
      text(left + 6, py(once) + (once < -0.5 ? -6 : 16), "start", "1/n"),
      `<polyline class="line" points="${line.map(place).join(" ")}"/>`,
    ].join("");
  }

  // ---- the page ----

  /** Put a slider and a number field beside the label of a field; return them. */
  function inputs(box, name, change) {
    const label = box.querySelector("label");
    const input = (settings) => Object.assign(document.createElement("input"), settings);
    const slider = input({ type: "range", min: 0, max: FIELDS[name].steps, step: 1 });
    const number = input({ type: "number", id: `explorer-${name}`, min: FIELDS[name].min, step: "any" });
    label.htmlFor = number.id;
    slider.setAttribute("aria-label", `${label.textContent}, slider`);
    box.append(slider, number);
    slider.addEventListener("input", () => change(name, (state) => fromStep(name, state, Number(slider.value))));
    // Half-typed numbers wait; a finished one that is out of range is put right.
    number.addEventListener("input", () => {
      if (number.validity.valid && number.value) change(name, () => number.value, number);
    });
    number.addEventListener("change", () => change(name, () => number.value));
    return { box, slider, number };
  }

  function start(root) {
    const find = (selector) => root.querySelector(selector);
    const [preset, choice] = [find("#explorer-preset"), find("#explorer-prior")];
    const [picture, words] = [find("svg"), find("[role=status]")];
    let state = readAddress();
    let settling;

    const change = (name, value, typing) => show(clean({ ...state, [name]: value(state) }), typing);
    const fields = NAMES.map((name) => [name, inputs(find(`[data-field=${name}]`), name, change)]);

    /** Show a state; the field in which somebody types is left alone. */
    function show(next, typing) {
      state = next;
      const prior = priorOf(state);
      const numbers = compute(state, prior);
      choice.value = state.prior;
      preset.value = [...preset.options].map((option) => option.value).find((row) => row && same(preSet(row), state)) ?? "";
      for (const [name, { box, slider, number }] of fields) {
        box.hidden = state.prior !== "zipf" && (name === "N" || name === "s"); // real data have their own
        number.max = FIELDS[name].max(state);
        slider.value = toStep(name, state);
        slider.setAttribute("aria-valuetext", count(state[name]));
        if (number !== typing) number.value = state[name];
      }
      for (const cell of root.querySelectorAll("[data-number]")) {
        const value = numbers[cell.dataset.number];
        cell.textContent = (FORMATS[cell.dataset.number] ?? percent)(value);
        cell.style.setProperty("--share", FORMATS[cell.dataset.number] ? 0 : Math.min(1, value));
      }
      draw(picture, state, prior);
      clearTimeout(settling);
      settling = setTimeout(() => settle(numbers), 300);
    }

    /** Once the hand rests: a screen reader is not flooded, and browsers limit how often the address changes. */
    function settle(numbers) {
      words.textContent = summary(state, numbers);
      history.replaceState(null, "", `?${new URLSearchParams(state)}${location.hash}`);
    }

    // Real data have sizes of their own; the text on the page says why n is smaller than their number of rows.
    const sizes = { zipf: {}, austen: { n: 50000 }, adult: { n: 3000, m: 2 } };
    choice.addEventListener("change", () => show(clean({ ...state, ...sizes[choice.value], prior: choice.value })));
    preset.addEventListener("change", () => show(preSet(preset.value)));
    new ResizeObserver(() => draw(picture, state, priorOf(state))).observe(picture.parentElement);
    show(state);
    root.hidden = false;
  }

  window.longtailExplorer = { compute, data: DATA };
  const root = document.getElementById("explorer");
  if (root) start(root);
})();
