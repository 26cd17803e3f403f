"""One set of versions: requirements.lock, pyproject.toml, environment.yml and the workflow agree."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch-cpu": "torch"}
FOR_CHAPTERS = {"sympy", "ipykernel"}
IMPORTED_AS = {"sklearn": "scikit-learn"}


def lock() -> dict[str, str]:
    """Return the locked versions by name."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def binder_pins() -> dict[str, str]:
    """Return the versions in environment.yml by the names of the lock."""
    *conda, pip = environment()["dependencies"]
    pairs = [re.split("=+", line) for line in [*conda, *pip["pip"]] if "=" in line]
    return {canonicalize_name(CONDA_NAMES.get(name, name)): version for name, version in pairs}


def test_lock_is_exact_and_names_no_place():
    text = (ROOT / "requirements.lock").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert not re.search(r"https?:|--index|--hash|\+cpu|\+cu", text)


def test_lock_satisfies_the_project_and_its_extras():
    extras = project()["optional-dependencies"]
    wanted = [*project()["dependencies"], *extras["book"], *extras["test"], *extras["dev"]]
    for requirement in map(Requirement, wanted):
        version = lock()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(Version(version)), f"{requirement} against {version}"


def test_binder_has_the_versions_of_the_lock():
    pins = binder_pins()
    python = pins.pop("python")
    assert python in project()["requires-python"]
    assert pins == {name: lock()[name] for name in pins}


def test_binder_has_all_that_a_chapter_needs():
    needed = {canonicalize_name(Requirement(line).name) for line in project()["dependencies"]} | FOR_CHAPTERS
    assert needed <= binder_pins().keys()
    assert "-e ." in environment()["dependencies"][-1]["pip"]


def test_chapters_import_nothing_else():
    """What chapters import is the library, the standard library or pinned for Binder."""
    sources = sorted((ROOT / "book" / "src").rglob("*.md"))
    code = "\n".join(
        "\n".join(re.findall(r"^```\{code-cell\}.*?^```", s.read_text(), re.M | re.S)) for s in sources
    )
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.M))
    known = binder_pins().keys() | sys.stdlib_module_names | {"longtail", "ipython"}
    packages = {canonicalize_name(IMPORTED_AS.get(name, name)) for name in imported}
    assert packages - known == set()


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory) -> str:
    """What repo2docker, Binder's builder, would do with this repository."""
    copy = tmp_path_factory.mktemp("binder") / "book"
    left_out = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info", "*.npz", "*.gz", "*.ipynb")
    shutil.copytree(ROOT, copy, ignore=left_out)
    command = [sys.executable, "-W", "ignore", "-m", "repo2docker", "--no-build", "--debug", "."]
    result = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    return result.stdout + result.stderr


def test_binder_would_find_the_environment(dockerfile):
    assert "Building conda environment for python=3.11" in dockerfile
    assert re.search(r'env update .* --file "environment.yml"', dockerfile)


def test_binder_installs_the_library_from_the_whole_repository(dockerfile):
    assert re.search(r"COPY --chown=\S+ src/ .* env update ", dockerfile, re.DOTALL)
