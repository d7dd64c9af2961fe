"""What is installed: light imports, and a wheel that runs far from its checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import moosnn

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "botorch", "wandb", "hydra", "omegaconf", "matplotlib", "rich")


def python(*arguments, cwd, **environment):
    """Run this interpreter elsewhere and hand back what it printed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**kept, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("moosnn", (*HEAVY, "numpy")),
        ("moosnn.space, moosnn.trial", (*HEAVY, "numpy")),
        ("moosnn.problem", HEAVY),
        ("moosnn.pareto.front", HEAVY),
    ],
)
def test_an_import_loads_nothing_heavy(imported, heavy, tmp_path):
    listing = f"import sys, {imported}; print(*sys.modules)"
    path = {"PYTHONPATH": str(ROOT)}
    loaded = set(python("-c", listing, cwd=tmp_path, **path).split())
    assert "moosnn" in loaded
    assert not loaded & set(heavy)


def test_the_help_and_the_version_load_neither_torch_nor_wandb(tmp_path):
    for option in ("--help", "--version"):
        script = (
            "import runpy, sys\n"
            f"sys.argv = ['moosnn', '{option}']\n"
            "try:\n"
            "    runpy.run_module('moosnn', run_name='__main__')\n"
            "except SystemExit as end:\n"
            "    assert not end.code, end.code\n"
            "print('LOADED', *sys.modules)\n"
        )
        said = python("-c", script, cwd=tmp_path, PYTHONPATH=str(ROOT))
        words, _, loaded = said.rpartition("LOADED")
        assert words.strip()
        assert not set(loaded.split()) & {"torch", "wandb"}


def test_an_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="'moosnn' has no attribute 'laod'"):
        _ = moosnn.laod
    assert {"load", "__version__"} <= set(dir(moosnn))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder))
    python(*build, str(ROOT), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel):
    """A folder of site-packages that holds the wheel and nothing else."""
    folder = wheel.parent / "site"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-index")
    options = (*quiet, "--no-deps", "--no-compile", "--target", str(folder))
    python("-m", "pip", "install", *options, str(wheel), cwd=wheel.parent)
    return folder


def test_a_wheel_holds_the_package_its_config_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {n for n in names if ".dist-info/" not in n}
    assert {"moosnn/py.typed", "moosnn/conf/config.yaml"} <= inside
    assert {n.partition("/")[0] for n in inside} <= {"moosnn", "hydra_plugins"}
    for folder, suffix, packed in (
        ("moosnn", ".py", "moosnn"),
        ("conf", ".yaml", "moosnn/conf"),
    ):
        files = (ROOT / folder).rglob(f"*{suffix}")
        for path in files:
            assert f"{packed}/{path.relative_to(ROOT / folder).as_posix()}" in inside
    parts = {part for n in inside for part in n.split("/")}
    assert not {"tests", "__pycache__"} & parts
    assert not [part for part in parts if part.startswith("test_")]


def test_the_wheel_runs_without_the_checkout(site, tmp_path):
    installed = {"PYTHONPATH": str(site)}
    where = "import moosnn; print(moosnn.__file__)"
    file = Path(python("-c", where, cwd=tmp_path, **installed).strip())
    assert file.is_relative_to(site)
    version = python("-m", "moosnn", "--version", cwd=tmp_path, **installed)
    assert moosnn.__version__ in version


def test_the_wheel_runs_a_study(site, tmp_path):
    study = tmp_path / "study"
    smoke = ("-m", "moosnn", "+experiment=smoke", f"study_dir={study}")
    python(*smoke, cwd=tmp_path, PYTHONPATH=str(site))
    assert (study / "journal.jsonl").stat().st_size > 0
    assert [p.name for p in tmp_path.iterdir()] == ["study"]
