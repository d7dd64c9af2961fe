"""What the pages say is true: links lead somewhere, examples run.

- A relative link names an existing file, its anchor an existing heading.
- No line of a paragraph begins a list or a heading by its first word.
- Every ``yaml`` block of docs/space.md is a search space, unless its first line is
  ``# refused: <a part of the message>``: then it must be refused with that message.
- The ``python`` blocks of one page run in order in one namespace, in an empty working
  directory, with a study of a few digits networks where the pages say that one lies
  (`STUDY`). A block whose first line is ``# not run: <reason>`` is only compiled.
- A block whose first line is a comment with a file's name, such as
  ``# mine/problem/quick.yaml``, lies there when a command of its page runs.
- Every ``python -m moosnn …`` runs, with fewer trials, and says what it should; one
  after ``$ `` says what stands below it.
"""

import contextlib
import os
import re
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from moosnn.compose import compose, sweep_folder
from moosnn.errors import SpaceError
from moosnn.pareto.front import front_of
from moosnn.runtime.record import read_record
from moosnn.snn import gene_names
from moosnn.space import Space
from tests.docs_commands import run_command

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

STUDY = "runs/nas-ehvi-s0"

FENCE = re.compile(r"^( *)(```+|~~~+)(\w*)[^\n]*\n(.*?)^\1\2 *$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]: <?(\S+?)>?(?: .*)?$", re.M)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.M)
# Hydra wants its own header first.
FILE_NAME = re.compile(r"(?:# @package \S+\n)?# ([\w./-]+\.\w+)\n")
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.I)


def blocks(text, language):
    return [m[4] for m in FENCE.finditer(text) if m[3] == language]


def files_of(text):
    """The files that a page shows: path to content."""
    shown = [m[4] for m in FENCE.finditer(text)]
    named = [(re.match(FILE_NAME, block), block) for block in shown]
    return {match[1]: block for match, block in named if match}


def prose(text):
    """The page without its code blocks and code spans."""
    return re.sub(r"(`+)[^`]+?\1", "", FENCE.sub("", text))


def links(text):
    found = [*LINK.findall(prose(text)), *REFERENCE.findall(prose(text))]
    return [link for link in found if not OUTSIDE.match(link)]


def anchors(text):
    """The anchors of a page's headings, spelled as GitHub does."""
    seen, found = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().strip()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def broken(page, text):
    """The links of a page that lead nowhere."""
    found = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or not to.is_relative_to(ROOT):
            found.append(f"{link}: no such file")
        elif anchor:
            there = to.read_text(encoding="utf-8") if path else text
            if anchor not in anchors(there):
                found.append(f"{link}: no such heading")
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_links_of_a_page_lead_somewhere(page):
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found():
    page = ROOT / "README.md"
    text = "# A b-c, `d`!\n[a](#a-b-c-d) [b](#b) [c](docs/space.md#space) [d](x.md)\n"
    text += "[e](https://x.org/y) `[f](y.md)`\n```yaml\n[g](z.md)\n```\n[h]: w.md\n"
    assert broken(page, text) == [
        "#b: no such heading",
        "docs/space.md#space: no such heading",
        "x.md: no such file",
        "w.md: no such file",
    ]


# What begins a list, a quotation or a heading, and may as well end a sentence.
BEGINS = re.compile(r" {0,3}(?:1[.)]|[-+*>]|#{1,6}|=+|-+)(?: |$)")
LIST = re.compile(r"\s*(?:[-+*]|\d+[.)]) |  |#")


def torn(text):
    """Lines of a paragraph that are taken for a list: ``exactly 0 or`` / ``1. It``."""
    lines = FENCE.sub("\n", text).splitlines()
    return [
        line
        for before, line in pairwise(lines)
        if BEGINS.match(line) and before.strip() and not LIST.match(before)
    ]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_paragraph_of_a_page_is_torn(page):
    assert torn(page.read_text(encoding="utf-8")) == []


def test_a_torn_paragraph_is_found():
    text = "# A\n\nIt was 0 or\n1. It is\n- so\n  here\n- or\n\n1. A\n2. list\n"
    assert torn(text) == ["1. It is"]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    if STUDY in text:
        study = tmp_path / STUDY
        study.parent.mkdir()
        study.symlink_to(request.getfixturevalue("digits_study"))
    namespace = {"__name__": "__docs__"}
    for number, block in enumerate(blocks(text, "python")):
        code = compile(block, f"{page.name}, python block {number + 1}", "exec")
        if not re.match(r"# not run: \S", block):
            exec(code, namespace)


SPACES = blocks((ROOT / "docs/space.md").read_text(encoding="utf-8"), "yaml")


@pytest.mark.parametrize("block", SPACES, ids=range(len(SPACES)))
def test_the_yaml_of_the_page_on_spaces(block):
    refused = re.match(r"# refused: (.+)\n", block)
    if refused is None:
        assert len(Space.from_config(yaml.safe_load(block))) > 0
    else:
        with pytest.raises(SpaceError, match=re.escape(refused[1])):
            Space.from_config(yaml.safe_load(block))


def test_the_page_on_spaces_has_examples():
    page = (ROOT / "docs/space.md").read_text(encoding="utf-8")
    assert len(SPACES) > 3
    assert len(blocks(page, "python")) > 1


COMMAND = re.compile(r"^ *(\$ )?python -m moosnn((?: +(?!#)\S+)*)(?: +#.*)?$", re.M)
SMALL = ["study.budget=2", "study.confirm=0"]
MOST_AT_ONCE = 4  # commands: each takes some hundred MB
# What the words of a command lead to, if not a study or a sweep.
CLUSTER = "executor=slurm"  # what it does on one is shown by tests/slurm
# Each sub-command, and what its output has in it.
SAYS = {
    "status": "hypervolume",
    "front": "hypervolume",
    "edge": "hypervolume",
    "report": "report",
    "export": "",
    "import": "",
    "replay": "bit for bit",
    "simulate": "hypervolume",
    "doctor": "a study can run",
    "data": "use it: ",
    "choices": "  ",
    "completion": "complete -F _moosnn moosnn",
}
EXACT = ("choices",)  # what they print is on the page to the letter


def commands(text):
    """Each command of a page, as its words, with the output shown below it, if any."""
    found = []
    for match in COMMAND.finditer(text):
        shown = []
        if match[1]:
            for line in text[match.end() + 1 :].splitlines():
                if line.startswith(("$ ", "```")):
                    break
                shown.append(line)
        words = shlex.split(match[2])
        words = words[: words.index(">")] if ">" in words else words
        found.append((tuple(words), "\n".join(shown).strip()))
    return found


# What several pages show alike is run once, as of the first of them.
FIRST_SHOWN = {
    (words, shown): page.name
    for page in reversed(PAGES)
    for words, shown in commands(page.read_text(encoding="utf-8"))
}
ALL_COMMANDS = {
    f"{name}: {' '.join(words)}": (words, shown)
    for (words, shown), name in FIRST_SHOWN.items()
}


def page_of(name):
    return next(page for page in PAGES if page.name == name.partition(": ")[0])


def environment(words):
    """Of a command: nobody is logged in anywhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    if CLUSTER in words:  # as on a machine without one
        kept["PATH"] = str(Path(sys.executable).parent)
    return kept


def words_to_run(name, study=None):
    """What is run of a command: of one that searches a study of a few trials.

    A trial that is named is taken for a front member of ``study``.
    """
    words, shown = ALL_COMMANDS[name]
    if "--trial" in words and study is not None:
        record = read_record(study)
        member = front_of(record.problem, record.history.done).numbers[0]
        place = words.index("--trial") + 1
        words = (*words[:place], str(member), *words[place + 1 :])
    if not words or words[0] in SAYS or shown:
        return list(words)
    small = list(words)
    # What is said twice counts as it is said last.
    small = [word for word in small if not word.startswith("study.budget=")]
    small += SMALL
    if short_trainings(words):
        small.append("space.epochs.int=[1,2]")
    own = ("executor.", "pruner=")  # a pruner needs workers beside the driver
    if not is_elsewhere(words) and not any(w.startswith(own) for w in words):
        small.append("executor=inline")
    return small


def short_trainings(words):
    """Whether a command shows the same with trainings of one or two epochs."""
    searches = any(w in ("+experiment=nas", "+experiment=hpo") for w in words)
    own = ("-m", "space=", "pruner=", "study.enqueue=", "study.warm_start=")
    return searches and not any(word.startswith(own) for word in words)


def is_elsewhere(words):
    return any(word.startswith("hydra/launcher=") for word in words)


@pytest.fixture(scope="module")
def running(request, tmp_path_factory):
    """Starts a command that is tested; tells its folder and its process.

    As many run at once as there are cores. Where the tests run in several processes
    (pytest -n), none of which knows what it will be given, a command starts with its
    test. Commands that are alike but for their budget are one.
    """
    cores = min(len(os.sched_getaffinity(0)), MOST_AT_ONCE)
    with ThreadPoolExecutor(cores) as pool:
        found = {}

        def start(name, request):
            files = files_of(page_of(name).read_text("utf-8"))
            words = words_to_run(name)
            same = repr((words, files))
            if same in found:
                return found[same]
            folder = tmp_path_factory.mktemp("page")
            for path, content in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(content, encoding="utf-8")
            named = [word for word in words[1:] if word.startswith("runs/")]
            if words and words[0] in SAYS and (named or words[0] == "import"):
                study = request.getfixturevalue("digits_study")
                words = words_to_run(name, study)
                for word in named:
                    shutil.copytree(study, folder / word)
                if words[0] == "import":
                    lay_source(study, folder, words[1])
            found[same] = (
                folder,
                pool.submit(run_command, words, folder, environment(words)),
            )
            return found[same]

        if "PYTEST_XDIST_WORKER" not in os.environ:
            items = [
                item for item in request.session.items if hasattr(item, "callspec")
            ]
            params = [i.callspec.params for i in items if i.path == Path(__file__)]
            for given in params:
                if given.get("name") in ALL_COMMANDS:
                    start(given["name"], request)
        yield start
        pool.shutdown(cancel_futures=True)


def lay_source(study, folder, source):
    """What an import of a page is from: the study of the pages, as it is exported."""
    from moosnn.exporting import export

    if "://" not in source:
        to = "csv" if source.endswith(".csv") else "optuna"
        export(read_record(study), to, folder / source, None)


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_a_command_of_a_page_says_what_it_should(name, running, request):
    words, shown = ALL_COMMANDS[name]
    folder, process = running(name, request)
    done = process.result()
    if not words:
        assert done.returncode == 0
        assert "\n  choices  " in done.stdout
    elif words[0] in EXACT and shown:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.strip() == shown
    elif words[0] == "doctor":
        *lines, last = done.stdout.splitlines()
        assert (done.returncode, done.stderr) == (0, "")
        assert {line[:4] for line in lines} <= {"ok  ", "!!  "}
        assert last.startswith("a study can run")
    elif CLUSTER in words:
        assert (done.returncode, done.stdout) == (2, "")
        assert "sbatch, srun, squeue, scancel not found on this machine" in done.stderr
    elif words[0] in SAYS:
        if shown.startswith("moosnn: "):
            assert (done.returncode, done.stderr.strip()) == (2, shown)
        else:
            check_look(words[0], shown, done)
    elif shown:
        assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", shown)
        laid = {Path(path).parts[0] for path in files_of(page_of(name).read_text())}
        assert {path.name for path in folder.iterdir()} == laid
    else:
        check_study(words, folder, done)


def check_look(command, shown, done):
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[command] in done.stdout
    if shown and command == "status":  # the numbers differ, what is told does not
        told = {line.split()[0] for line in shown.splitlines()[1:]}
        now = {line.split()[0] for line in done.stdout.splitlines()[1:]}
        assert told - {"pending", "running"} <= now  # a finished study has none


def check_study(words, folder, done):
    assert (done.returncode, done.stderr) == (0, "")
    plain = [word for word in words if not word.startswith("hydra/launcher=")]
    with contextlib.chdir(folder):  # where a --config-dir of the page lies
        jobs = compose(plain, lambda _: None, lambda _: None)
    assert len(jobs) > 0
    for job in jobs:
        assert (folder / job.folder / "journal.jsonl").exists()
        if not is_elsewhere(words):
            assert f"results: {job.folder}: " in done.stdout
    sweep = sweep_folder(plain)
    if sweep is not None:
        assert f"python -m moosnn report {sweep}" in done.stdout


def test_the_pages_have_commands():
    assert len(ALL_COMMANDS) > 30
    shown = [shown for _, shown in ALL_COMMANDS.values() if shown]
    assert len(shown) > 8


def _rule_sections() -> dict[str, str]:
    """The section of each learning rule on their page."""
    page = (ROOT / "docs/learning.md").read_text(encoding="utf-8")
    sections = {s.partition("\n")[0].strip("`"): s for s in page.split("\n## ")[1:]}
    return {rule: sections[rule] for rule in gene_names.RULES}


RULE_SECTIONS = _rule_sections()


def _default_rows() -> list[tuple[str, str, str]]:
    """Rule, gene and default of every row of a rule's table on its page."""
    rows = []
    for rule, section in RULE_SECTIONS.items():
        for genes, values in re.findall(r"^\| (`\w.*?) \| (.*?) \|", section, re.M):
            names = re.findall(r"`(\w+)`", genes)
            given = [value.strip("` ") for value in re.split(r", ", values)]
            if "gene" in section and set(names) <= gene_names.NAMES:
                rows += [(rule, *pair) for pair in zip(names, given, strict=True)]
    return rows


DEFAULT_ROWS = _default_rows()


def test_the_page_of_learning_rules_has_all_their_genes() -> None:
    for rule, module in gene_names.RULES.items():
        told = {gene for name, gene, _ in DEFAULT_ROWS if name == rule}
        assert set(module.DEFAULTS) <= told, rule


@pytest.mark.parametrize("rule", gene_names.RULES)
def test_the_page_of_learning_rules_has_the_defaults_that_a_rule_changes(
    rule: str,
) -> None:
    module = gene_names.RULES[rule]
    told = {gene for name, gene, _ in DEFAULT_ROWS if name == rule}
    # What nobody can choose under a rule stands in its text: "a soft reset".
    for gene in set(module.CHANGED) - told:
        assert gene in module.UNREAD
        words = " ".join(RULE_SECTIONS[rule].split())
        assert f"{module.CHANGED[gene]} {gene}" in words


@pytest.mark.parametrize(("rule", "gene", "value"), DEFAULT_ROWS)
def test_a_default_on_the_page_of_learning_rules_holds(
    rule: str, gene: str, value: str
) -> None:
    default = gene_names.defaults(rule)[gene]
    if isinstance(default, str | bool):
        assert value == str(default).lower()
    else:
        assert float(value.replace(",", "")) == pytest.approx(float(default))
