"""The three paths give the same models, and each model can be made again alone."""

import numpy as np
import pytest
import torch
from longtail.ensembles import (
    Dataset,
    Recipe,
    initial_module,
    logits,
    mlp,
    subset,
    train_members,
    train_modules,
)
from longtail.training import choose_path
from torch import nn

RECIPE = Recipe(epochs=4, batch_size=16, lr=0.1)


def make_data(n=90, tests=40, d=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, d))

    def part(size):
        y = rng.integers(classes, size=size)
        return (centres[y] + rng.standard_normal((size, d))).astype(np.float32), y

    return Dataset(*part(n), *part(tests))


DATA = make_data()


class Small(nn.Module):
    """A convolution over the six inputs: no perceptron."""

    def __init__(self):
        super().__init__()
        self.filters, self.out = nn.Conv1d(1, 4, 3), nn.Linear(16, 3)

    def forward(self, x):
        return self.out(torch.tanh(self.filters(x[:, None])).flatten(1))


class WithBuffer(Small):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(16)

    def forward(self, x):
        return self.out(self.norm(torch.tanh(self.filters(x[:, None])).flatten(1)))


def trained(monkeypatch, path, model, data=DATA, members=range(5), recipe=RECIPE, dtype=torch.float32):
    """Logits on the training data, by listening at the place where decisions are made."""
    import longtail.ensembles as module

    heard = []

    def listen(logits, x, target):
        with torch.no_grad():
            heard.append(logits(x).clone())
        return decide(logits, x, target)

    decide = module._decide
    with monkeypatch.context() as patch:
        patch.setattr(module, "_decide", listen)
        result = train_members(data, model, members, recipe=recipe, seed=3, dtype=dtype, path=path)
    return torch.cat(heard[::2]), result


def by_hand(model, data, member, recipe, seed=3, fraction=0.7):
    """Train one member as anybody would, with nothing of ours but the three streams."""
    net = initial_module(model, seed, member)
    chosen = subset(seed, member, len(data.x), round(fraction * len(data.x)))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(member, 2)))
    optimizer = torch.optim.SGD(net.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    for _ in range(recipe.epochs):
        for batch in torch.tensor(rng.permutation(chosen)).split(recipe.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return net(x)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", [mlp(6, 12, 3), mlp(6, 8, 5, 3), Small], ids=["mlp", "deep", "conv"])
def test_the_loop_is_the_loop_that_everybody_writes(monkeypatch, one_thread, model):
    answers, _ = trained(monkeypatch, "loop", model)
    for member in range(5):
        assert torch.equal(answers[member], by_hand(model, DATA, member, RECIPE))


@pytest.mark.parametrize("sizes", [(6, 12, 3), (64, 128, 10)], ids=str)
def test_batched_models_are_the_plain_loop_bit_by_bit(monkeypatch, one_thread, sizes):
    data = make_data(n=200, d=sizes[0], classes=sizes[-1])
    answers, _ = trained(monkeypatch, "vmap", mlp(*sizes), data)
    for member in range(5):
        assert torch.equal(answers[member], by_hand(mlp(*sizes), data, member, RECIPE))


@pytest.mark.parametrize("model", [mlp(6, 8, 5, 3), Small], ids=["deep", "conv"])
def test_other_batched_kernels_agree_to_rounding(monkeypatch, model):
    """Where a product over all members has another kernel than one product, the order of its sums differs."""
    answers, _ = trained(monkeypatch, "vmap", model, dtype=torch.float64)
    loop, _ = trained(monkeypatch, "loop", model, dtype=torch.float64)
    torch.testing.assert_close(answers, loop, rtol=0, atol=1e-11)


@pytest.mark.parametrize("model", [mlp(6, 3), mlp(6, 12, 3), mlp(6, 8, 5, 3)], ids=["linear", "mlp", "deep"])
def test_backward_pass_by_hand(monkeypatch, model):
    """In double precision the paths differ by rounding alone; in single the decisions agree."""
    fast, _ = trained(monkeypatch, "mlp", model, dtype=torch.float64)
    loop, _ = trained(monkeypatch, "loop", model, dtype=torch.float64)
    torch.testing.assert_close(fast, loop, rtol=0, atol=1e-11)
    fast, learned = trained(monkeypatch, "mlp", model)
    loop, same = trained(monkeypatch, "loop", model)
    torch.testing.assert_close(fast, loop, rtol=0, atol=2e-4)
    top = loop.topk(2, dim=-1).values
    clear = ((top[..., 0] - top[..., 1]) > 1e-3).numpy()
    np.testing.assert_array_equal(learned.correct[clear], same.correct[clear])


@pytest.mark.parametrize("path", ["mlp", "vmap", "loop"])
def test_any_member_can_be_made_again_alone(path):
    model = mlp(6, 12, 3)
    everyone = train_members(DATA, model, range(40), recipe=RECIPE, seed=3, path=path)
    alone = train_members(DATA, model, [7, 31], recipe=RECIPE, seed=3, path=path)
    for several, two in zip(everyone, alone, strict=True):
        np.testing.assert_array_equal(several[[7, 31]], two)


def test_the_three_streams_are_separate():
    model = mlp(6, 12, 3)
    first, other = (initial_module(model, 3, k)[0].weight for k in (0, 1))
    assert not torch.equal(first, other)
    assert torch.equal(first, initial_module(model, 3, 0)[0].weight)
    assert set(subset(3, 0, 90, 63)) != set(subset(3, 1, 90, 63))
    assert set(subset(3, 0, 90, 63)) != set(subset(4, 0, 90, 63))


def test_subsets_have_their_size_and_are_uniform():
    learned = train_members(DATA, mlp(6, 3), range(300), 0.7, Recipe(epochs=1, batch_size=64))
    assert (learned.inside.sum(axis=1) == 63).all()
    share = learned.inside.mean(axis=0)
    assert abs(share - 0.7).max() < 4.5 * np.sqrt(0.21 / 300)


def test_training_leaves_torch_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train_members(DATA, mlp(6, 12, 3), range(2), recipe=RECIPE)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_images_are_flattened_for_perceptrons():
    images = Dataset(DATA.x.reshape(-1, 2, 3), DATA.y, DATA.x_test.reshape(-1, 2, 3), DATA.y_test)

    def model():
        return nn.Sequential(nn.Flatten(), *mlp(6, 12, 3)())

    flat = train_members(DATA, mlp(6, 12, 3), range(3), recipe=RECIPE)
    deep = train_members(images, model, range(3), recipe=RECIPE)
    np.testing.assert_array_equal(flat.correct, deep.correct)


def test_paths_are_chosen_by_what_pays():
    assert choose_path("auto", mlp(6, 12, 3)()) == "mlp"
    assert choose_path("auto", Small()) == "vmap"
    assert choose_path("auto", WithBuffer()) == "loop"
    assert choose_path("auto", nn.Sequential(nn.Linear(6, 3, bias=False))) == "vmap"
    wide = nn.Sequential(nn.Linear(6, 40_000), nn.Tanh(), nn.Linear(40_000, 3))
    assert choose_path("auto", wide) == "loop"
    assert choose_path("auto", wide, "cuda") == "vmap"


def test_modules_with_buffers_train_one_by_one():
    learned = train_members(DATA, WithBuffer, range(2), recipe=RECIPE)
    assert learned.correct.mean() > 0.6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("path", ["mlp", "vmap", "loop"])
def test_gpu_and_cpu_agree(path):
    """In double precision both train the same models, up to rounding that a clear decision does not see."""
    cpu, gpu = (
        train_members(DATA, mlp(6, 12, 3), range(4), recipe=RECIPE, device=d, dtype=torch.float64, path=path)
        for d in ("cpu", "cuda")
    )
    for a, b in zip(cpu, gpu, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraction": 1.1}, r"fraction must lie in \[0, 1\], got 1\.1"),
        ({"fraction": 0.001}, r"fraction must leave examples to train on, got 0\.001 of 90"),
        ({"path": "fast"}, "path must be one of"),
        (
            {"path": "vmap", "model": WithBuffer},
            "without buffers, randomness and frozen weights, got norm",
        ),
        ({"path": "mlp", "model": Small}, "path 'mlp' needs linear layers with ReLU"),
        ({"members": [-1]}, "members must be at least 0, got -1"),
        ({"members": []}, "members must not be empty"),
        ({"data": DATA._replace(y=DATA.y[1:])}, "x and its labels must be non-empty, of one length"),
        ({"data": DATA._replace(x_test=DATA.x_test[:, 1:])}, "x_test and its labels must be"),
        ({"data": DATA._replace(x=DATA.x * np.nan)}, "x must be finite, got NaN"),
        ({"data": DATA._replace(y=DATA.y - 1)}, r"labels of x must lie in range\(3\), got -1"),
        ({"data": DATA._replace(y_test=DATA.y_test + 1)}, r"labels of x_test must lie in range\(3\), got 3"),
    ],
)
def test_bad_arguments_are_named(change, message):
    call = {"data": DATA, "model": mlp(6, 12, 3), "members": range(2)} | change
    with pytest.raises(ValueError, match=message):
        train_members(**call)


def test_bad_recipes_are_named():
    for change in ({"epochs": 0}, {"batch_size": 0}, {"lr": -1.0}, {"momentum": 1.1}):
        with pytest.raises(ValueError, match=next(iter(change))):
            Recipe(**change)
    with pytest.raises(ValueError, match="sizes must name at least inputs and classes"):
        mlp(3)


@pytest.mark.parametrize("path", ["mlp", "vmap", "loop"])
def test_trained_modules_are_the_members(path):
    settings = {"recipe": RECIPE, "seed": 3, "path": path, "fraction": 0.7}
    modules = train_modules(DATA, mlp(6, 12, 3), range(5), **settings)
    members = train_members(DATA, mlp(6, 12, 3), range(5), **settings)
    outputs = logits(modules, DATA.x_test)
    assert outputs.shape == (5, 40, 3)
    assert (outputs.argmax(-1) == DATA.y_test).tolist() == members.correct_test.tolist()
    if path == "loop":
        by_loop = [by_hand(mlp(6, 12, 3), DATA, k, RECIPE).numpy() for k in range(5)]
        np.testing.assert_allclose(logits(modules, DATA.x), by_loop, rtol=0, atol=1e-5)


def test_all_of_the_data_for_all(one_thread):
    members = train_members(DATA, mlp(6, 12, 3), range(3), fraction=1.0, recipe=RECIPE)
    assert members.inside.all()
    modules = train_modules(DATA, mlp(6, 12, 3), range(2), recipe=RECIPE, path="loop")
    assert torch.equal(
        torch.tensor(logits(modules[:1], DATA.x)[0]), by_hand(mlp(6, 12, 3), DATA, 0, RECIPE, 0, 1.0)
    )


class Dropping(nn.Module):
    """Draws random numbers while it is trained."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 30), nn.Dropout(0.5), nn.ReLU(), nn.Linear(30, 3))

    def forward(self, x):
        return self.layers(x)


def test_dropout_has_a_stream_of_its_own():
    """A member can be made again alone, whatever was drawn before; the caller's generator stays as it was."""
    torch.manual_seed(1)
    together = train_modules(DATA, Dropping, range(3), recipe=RECIPE, seed=3)
    before = torch.get_rng_state()
    torch.manual_seed(2)
    [alone] = train_modules(DATA, Dropping, [2], recipe=RECIPE, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(together[2].parameters(), alone.parameters(), strict=True))
    torch.manual_seed(1)
    assert torch.equal(before, torch.get_rng_state())


def half_frozen():
    net = mlp(6, 8, 3)()
    net[0].requires_grad_(False)
    return net


def test_frozen_weights_stay():
    assert choose_path("auto", half_frozen()) == "loop"
    [trained] = train_modules(DATA, half_frozen, [0], recipe=RECIPE, seed=3)
    start = initial_module(half_frozen, 3, 0)
    assert torch.equal(trained[0].weight, start[0].weight)
    assert not torch.equal(trained[2].weight, start[2].weight)
    for path in ("mlp", "vmap"):
        with pytest.raises(ValueError, match=r"0\.weight"):
            train_members(DATA, half_frozen, [0], path=path)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda: train_members(DATA, mlp(6, 3), [0], seed=None), TypeError, "seed must be a whole number"),
        (lambda: train_members(DATA, mlp(16, 3), [0]), ValueError, r"model must take inputs of shape \(6,\)"),
        (lambda: Recipe(momentum=1), ValueError, "momentum must lie in"),
        (lambda: Recipe(lr=np.inf), ValueError, "lr must lie in"),
    ],
)
def test_more_bad_arguments_are_named(work, error, message):
    with pytest.raises(error, match=message):
        work()


def test_recipes_take_whole_floats():
    assert Recipe(epochs=3.0, batch_size=16.0, lr=1) == Recipe(epochs=3, batch_size=16, lr=1.0)
    assert repr(Recipe(epochs=3.0)) == repr(Recipe(epochs=3))
