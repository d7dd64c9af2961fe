"""The words of the command line: help, JSON, choices, completion, exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.cli import SUBCOMMANDS, run
from moosnn.commands.completing import SHELLS, script
from moosnn.commands.table import COMMANDS
from moosnn.configs import choices
from moosnn.errors import ConfigError
from moosnn.interruption import EXIT

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 80, 24


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study of formulas."""
    folder = tmp_path_factory.mktemp("words") / "study"
    words = ["+experiment=smoke", "executor=inline", "study.confirm=0"]
    assert main([*words, "study.budget=14", f"study_dir={folder}"]) == 0
    return folder


def shown(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


# ---------------------------------------------------------------------------- help


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_help_of_a_sub_command_fits_a_screen(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, name, "--help").splitlines()
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    assert any(line.startswith(f"  python -m moosnn {name}") for line in lines)
    assert any(line.startswith("Exit codes: 0 done; ") for line in lines)


def test_the_help_of_all_fits_a_screen_and_names_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = shown(capsys, "--help").splitlines()
    assert lines == shown(capsys).splitlines()
    assert lines == shown(capsys, "+experiment=nas", "-h").splitlines()
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    for name, command in COMMANDS.items():
        assert f"  {name:<13} {command.told}" in lines


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_examples_of_a_help_can_be_read(name: str) -> None:
    command = COMMANDS[name]
    assert command.examples
    for example in command.examples:
        first, *words = example.partition(" >")[0].split()
        assert first == name
        _, rest = command.parser().parse_known_args(words)
        assert rest == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "unknown sub-command 'statsu'. Did you mean 'status'?"),
        (["help"], "unknown sub-command 'help'. Did you mean --help?"),
        (["nas"], "unknown sub-command 'nas'. Did you mean the experiment: +exp"),
        (["export", "x", "--to", "cvs"], "export: --to: got 'cvs'. Did you mean 'csv'"),
        (["export", "x"], "export: expected --to."),
        (["export", "--to", "csv"], "export: expected a folder (DIR)."),
        (["import"], "import: expected SOURCE."),
        (["import", "a", "b"], "import: expected one SOURCE, got 'b' as well."),
        (["report", "x", "--statc"], "report: unknown option '--statc'. Did you mean"),
        (["choices", "optimiser"], "choices: got 'optimiser'. Did you mean 'optimizer"),
        (["completion", "bsh"], "completion: SHELL: got 'bsh'. Did you mean 'bash'?"),
        (["completion"], "completion: expected SHELL."),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(
    words: Sequence[str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(words)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------- JSON


def test_replay_as_json(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(shown(capsys, "replay", study, "--json", "--every", "7"))
    assert told == {
        "study": str(study),
        "proposals": 14,
        "checked": 2,
        "fallbacks": 0,
        "differences": [],
        "elsewhere": [],
        "exact": True,
    }


def test_simulate_as_json(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", study, "--workers", "1,7", "--mean", "10", "--json"]
    one, seven = json.loads(shown(capsys, *words))
    assert (one["workers"], seven["workers"]) == (1, 7)
    assert one["trials"] == seven["trials"] == 14
    # 14 trials of 10 s: one after the other, or two rounds of seven.
    assert 140 <= one["makespan_s"] < 160
    assert 20 <= seven["makespan_s"] < 40
    assert one["busy"] <= 1


def test_export_as_json(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    words = ["export", str(study), "--to", "csv", "--out", str(path), "--json"]
    found = json.loads(shown(capsys, *words))
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    assert found == {
        "study": str(study),
        "format": "csv",
        "path": str(path),
        "trials": len(rows),
        "trial": None,
        "damage": None,
    }


def test_import_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "p.yaml"
    source.write_text("lr\n0.1\n0.2\n")
    printed = json.loads(shown(capsys, "import", str(source), "--json"))
    assert [point["params"] for point in printed["points"]] == [
        {"lr": 0.1},
        {"lr": 0.2},
    ]
    words = ["import", str(source), "--out", str(out), "--json"]
    assert json.loads(shown(capsys, *words)) == {
        "source": str(source),
        "study": None,
        "points": 2,
        "path": str(out),
        "notes": [],
    }


def test_doctor_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Nobody has a cluster here, so a study cannot run on one.
    assert main(["doctor", str(tmp_path), "--slurm", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["can_run"] is False
    assert told["verdict"].startswith("a study cannot run until this is mended: ")
    stopping = [check for check in told["checks"] if check["stops"]]
    assert stopping
    assert all(check["advice"] and not check["ok"] for check in stopping)
    assert any(check["ok"] for check in told["checks"])


# ------------------------------------------------------------------------- choices


def test_choices(capsys: pytest.CaptureFixture[str]) -> None:
    every = json.loads(shown(capsys, "choices", "--json"))
    assert set(every) == {f.name for f in (ROOT / "conf").iterdir() if f.is_dir()}
    for group, told in every.items():
        assert list(told) == choices(group)
    rows = shown(capsys, "choices").splitlines()
    assert max(map(len, rows)) <= WIDTH
    words = " ".join(rows).replace(",", " ").split()
    assert {"ehvi", "digits", "accuracy_energy", "firmin_mnist"} <= set(words)
    assert json.loads(shown(capsys, "choices", "pruner", "--json")) == {
        "pruner": every["pruner"]
    }


def test_each_choice_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    every = json.loads(shown(capsys, "choices", "--json"))
    silent = [f"{g}={n}" for g, told in every.items() for n in told if not told[n]]
    assert silent == []
    assert every["optimizer"]["nsga2"] == (
        "Evolution without generations: cheap, for hundreds of trials and more"
    )


# ---------------------------------------------------------------------- completion


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers for a line, its cursor at the end."""
    (folder / "script").write_text(script("bash"))
    call = (
        ". ./script; COMP_LINE=$1; COMP_POINT=${#1}; COMP_WORDBREAKS=$' \\t\\n=:'\n"
        "spaced=${1//=/ = }; COMP_WORDS=($spaced)\n"
        '[[ $1 == *[=\\ ] ]] && COMP_WORDS+=("")\n'
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _moosnn\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", call, "bash", line],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_sub_commands_their_options_and_folders(tmp_path: Path) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    assert completed("moosnn stat", tmp_path) == ["status"]
    assert completed("moosnn rep", tmp_path) == ["report", "replay"]
    assert completed("moosnn status --", tmp_path) == ["--help", "--json", "--watch"]
    assert completed("moosnn status runs/", tmp_path) == ["runs/one"]
    assert completed("moosnn export runs/one --to o", tmp_path) == ["optuna"]
    assert completed("moosnn completion ", tmp_path) == list(SHELLS)
    assert completed("moosnn data ", tmp_path) == ["check"]


def test_bash_completes_the_words_of_a_study(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert completed("moosnn opt", tmp_path) == ["optimizer="]
    assert completed("moosnn +exp", tmp_path) == ["+experiment="]
    # After the equals sign, which is a word of its own to readline.
    assert completed("moosnn optimizer=eh", tmp_path) == ["ehvi"]
    assert completed("moosnn optimizer=", tmp_path) == choices("optimizer")
    assert completed("moosnn -m optimizer=ehvi,nsga2,q", tmp_path) == [
        "ehvi,nsga2,qnehvi"
    ]
    nas = [name for name in choices("experiment") if name.startswith("nas")]
    assert completed("moosnn seed=1 +experiment=nas", tmp_path) == nas
    assert completed("moosnn study.bud", tmp_path) == ["study.budget="]
    assert completed("moosnn study_dir=r", tmp_path) == ["runs"]
    assert completed("moosnn +experiment=nas --ca", tmp_path) == ["--cancel"]
    # A study has no sub-commands, and a sub-command no groups.
    assert completed("moosnn seed=1 sta", tmp_path) == []
    assert completed("moosnn status opt", tmp_path) == []


# How each shell is started and prepared: a function stands in for the command.
STARTS = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("-f", "-i"),
    "tcsh": ("-f", "-i"),
}
PREPARED = {
    "bash": ". ./script; moosnn() { printf '<%s>\\n' \"$*\"; }; PS1='ready> '",
    "zsh": (
        "autoload -Uz compinit; compinit -u -D; source ./script\n"
        "moosnn() { print -r -- \"<$*>\" }\nPROMPT='ready> '"
    ),
    "tcsh": "source ./script\nalias moosnn 'echo \"<\\!*>\"'\nset prompt='ready> '",
}


def its_terminal() -> None:
    """Make what a new process reads from its terminal; tcsh edits no line without."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def typed(shell: str, keys: str, folder: Path) -> str:
    """The words that a real interactive shell gives to moosnn after some keys."""
    (folder / "script").write_text(script(shell))
    (folder / "prepare").write_text(PREPARED[shell] + "\n")
    terminal, inner = pty.openpty()
    text = ""

    def read_to(pattern: str) -> str:
        nonlocal text
        while not (found := re.search(pattern, text)):
            assert select.select([terminal], [], [], 60)[0], text
            text += os.read(terminal, 4096).decode(errors="replace").replace("\r", "")
        text = text[found.end() :]
        return found[0]

    with subprocess.Popen(
        [shell, *STARTS[shell]],
        cwd=folder,
        env={
            **os.environ,
            # tcsh completes nothing on a dumb terminal.
            "TERM": "vt100" if shell == "tcsh" else "dumb",
            "INPUTRC": "/dev/null",
            "HOME": str(folder),
        },
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        preexec_fn=its_terminal,  # noqa: PLW1509 - there is no thread here
    ) as process:
        os.write(terminal, b"source ./prepare\n")
        read_to("ready> ")
        os.write(terminal, f"{keys}\n".encode())
        words = read_to(r"<[^<>\n]*>\n")
        process.kill()
    os.close(terminal)
    os.close(inner)
    return words[1:-2]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_a_line(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    keys = "moosnn +ex\tsmo\topti\teh\tstudy_d\tru\tone --can\t"
    assert typed(shell, keys, tmp_path).split() == [
        "+experiment=smoke",
        "optimizer=ehvi",
        "study_dir=runs/one",
        "--cancel",
    ]
    keys = "moosnn expo\t runs/o\t --to parq\t"
    assert typed(shell, keys, tmp_path).replace("one/", "one").split() == [
        "export",
        "runs/one",
        "--to",
        "parquet",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_is_given_the_sub_commands(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(capsys, "completion", shell)
    for name in SUBCOMMANDS:
        assert re.search(rf"\b{name}\b", out), name
    for option in ("watch", "workers"):
        assert option in out


# ---------------------------------------------------------------------- exit codes


def documented() -> Iterator[int]:
    """The exit codes in the table of their page."""
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    for cell in re.findall(r"^\| ((?:\d+(?:, )?)+) \|", page, re.M):
        yield from map(int, cell.split(", "))


def test_the_page_of_exit_codes_has_them_all() -> None:
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    assert set(documented()) == {0, 1, 2, *(EXIT + number for number in signals)}


def test_the_exit_codes(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["status", str(study)]) == 0
    assert main(["status", "nowhere"]) == 2
    assert main(["--nothing"]) == 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):

        def interrupted(_: object, number: int = number) -> None:
            raise KeyboardInterrupt(number)

        monkeypatch.setattr("moosnn.cli.run", interrupted)
        assert main(["status", str(study)]) == EXIT + number


def test_a_mistake_beside_a_folder_of_one_s_own_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    words = ["--config-dir", "mine", "+experiment=smoke", "optimizer=nsga"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("moosnn: optimizer: got 'nsga'. Did you mean 'nsga")


# -------------------------------------------------------------------------- speed


def test_help_imports_nothing_that_takes_its_time() -> None:
    script = (
        "import sys; from moosnn.__main__ import main; main(['--help']);"
        f"[main([name, '--help']) for name in {SUBCOMMANDS}];"
        "slow = {'torch', 'wandb', 'botorch', 'hydra', 'numpy', 'yaml', 'rich',"
        " 'shtab', 'plotly', 'matplotlib', 'optuna'} & set(sys.modules);"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
