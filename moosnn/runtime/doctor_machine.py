"""Whether this machine can run a study: packages, torch, cores, memory, W&B.

Knows: installed versions, compilers, cores, GPUs. Must not know: folders, Slurm. What
is heavy to import, or may hang, is asked in a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from moosnn.errors import ConfigError
from moosnn.runtime.doctor_check import Answer, Check, ask, bad, good
from moosnn.runtime.slots import (
    CHILD_GB,
    free_memory_gb,
    usable_cores,
    visible_gpus,
    worker_count,
)

PACKAGE = "moosnn"
# What is told of; what is checked is all that the package requires.
_TOLD = (
    "torch",
    "botorch",
    "pymoo",
    "spikingjelly",
    "hydra-core",
    "submitit",
    "wandb",
)
# Only what tracks a study needs it: every other package is imported by some study.
_OPTIONAL = frozenset({"wandb", "plotly"})
# A cold file server takes its time to deliver torch.
_TORCH_S = 120.0
_WANDB_S = 30.0
_TORCH = """
import json, torch
usable = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "build": torch.version.cuda or torch.version.hip,
    "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if usable else [],
}))
"""
# As `tracking.wandb_run` decides; nothing is verified, so nothing is sent.
_WANDB = """
from wandb.sdk import wandb_setup
from wandb.sdk.lib import wbauth
settings = wandb_setup.singleton().settings
mode = settings.mode
if mode in ("online", "run"):
    known = wbauth.authenticate_session(
        host=settings.base_url, source="moosnn", prompt=False, update_session=False
    )
    mode = "logged in at " + str(settings.base_url) if known else "offline"
print(mode)
"""


def machine_checks() -> Iterator[Check]:
    """Everything about this machine, one after the other."""
    yield from version_checks()
    yield torch_check(ask([sys.executable, "-c", _TORCH], timeout_s=_TORCH_S))
    yield kernel_check()
    yield from worker_checks()
    yield wandb_check()


# ------------------------------------------------------------------------ versions


def version_checks(
    required: Callable[[str], list[str] | None] = requires,
    installed: Callable[[str], str] = version,
) -> Iterator[Check]:
    """The versions that are there against those that the package asks for.

    Args:
        required: a distribution's requirements, as `importlib.metadata.requires`.
        installed: a distribution's version, as `importlib.metadata.version`.
    """
    try:
        wanted = required(PACKAGE) or []
        own = installed(PACKAGE)
    except PackageNotFoundError:
        yield bad(
            "versions",
            f"{PACKAGE} is not installed",
            "install it: python -m pip install -c constraints.txt -e .",
            stops=True,
        )
        return
    told = [f"python {platform.python_version()}", f"{PACKAGE} {own}"]
    for name in _TOLD:
        found = _found(name, installed)
        told += [f"{name} {found}"] if found else []
    wrong = list(_wrong(wanted, installed))
    if not wrong:
        yield good("versions", ", ".join(told))
        return
    for name, text, line in wrong:
        advice = f'python -m pip install "{line}"'
        yield bad("versions", text, advice, stops=name not in _OPTIONAL)


def _found(name: str, installed: Callable[[str], str]) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _wrong(
    wanted: list[str], installed: Callable[[str], str]
) -> Iterator[tuple[str, str, str]]:
    """The requirements that are not met: name, what is wrong, what pip is told."""
    from packaging.requirements import Requirement

    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate(
            {"extra": ""}
        ):
            continue
        found = _found(requirement.name, installed)
        plain = f"{requirement.name}{requirement.specifier}"
        if found is None:
            yield requirement.name, f"{requirement.name} is not installed", plain
        elif not requirement.specifier.contains(found, prereleases=True):
            text = f"{requirement.name} {found}, expected {requirement.specifier}"
            yield requirement.name, text, plain


# ------------------------------------------------------------------------ torch


def torch_check(answer: Answer) -> Check:
    """Whether torch can be imported, and which GPUs it sees.

    Args:
        answer: what a process said that imported it.
    """
    if answer.code != 0:
        return bad(
            "torch",
            f"cannot be imported ({answer.error})",
            "see it fail with: python -c 'import torch'; reinstall torch",
            stops=True,
        )
    told = json.loads(answer.out)
    names, build, present = told["gpus"], told["build"], visible_gpus()
    text = f"{told['version']}, {'CPU build' if build is None else f'for {build}'}"
    if names:
        kinds = ", ".join(sorted(set(names)))
        return good(
            "torch", f"{text}, {len(names)} GPU{'s' * (len(names) > 1)}: {kinds}"
        )
    if present and build is None:
        advice = "install a build of torch for GPUs (https://pytorch.org)"
        return bad("torch", f"{text}, but {len(present)} GPU(s) are here", advice)
    if present:
        advice = "its driver may be too old for this build: see nvidia-smi"
        return bad("torch", f"{text}, cannot use the {len(present)} GPU(s)", advice)
    return good("torch", f"{text}, no GPU visible: trials run on the cores")


def kernel_check(which: Callable[[str], str | None] = shutil.which) -> Check:
    """Whether BoTorch's compiled kernel could be had.

    Args:
        which: where a program lies, as `shutil.which`.
    """
    compiler = os.environ.get("CXX", "c++")
    missing = [tool for tool in (compiler, "ninja") if which(tool) is None]
    if missing:
        text = f"eager (the default); fused would need {' and '.join(missing)}"
    else:
        text = "eager (the default); optimizer.kernel=fused can be compiled here"
    return good("kernel", text)


# ------------------------------------------------------------------------ workers


def worker_checks() -> Iterator[Check]:
    """What ``executor.workers=auto`` comes to on this machine."""
    cores, gpus, free = usable_cores(), visible_gpus(), free_memory_gb()
    text = f"{cores} cores, {len(gpus)} GPUs"
    text += "" if free is None else f", {free:.1f} GB of memory free"
    try:
        count = worker_count(
            "auto", threads_per_trial=1, trials_per_gpu=1, memory_gb=None
        )
    except ConfigError as error:
        yield bad("workers", text, str(error), stops=True)
        return
    text += f": executor.workers=auto gives {count}"
    if free is not None and free < CHILD_GB:
        advice = f"a worker with torch takes about {CHILD_GB:g} GB: free some memory"
        yield bad("workers", text, advice)
    elif count < (len(gpus) or cores):
        advice = "memory limits them: free some, or set executor.workers"
        yield bad("workers", text, advice)
    else:
        yield good("workers", text)


# ------------------------------------------------------------------------ W&B


def wandb_check() -> Check:
    """Whether ``tracker=wandb`` would send what it logs; nothing is sent to see."""
    if importlib.util.find_spec("wandb") is None:
        return good("W&B", "not installed; only tracker=wandb needs it")
    return wandb_mode_check(ask([sys.executable, "-c", _WANDB], timeout_s=_WANDB_S))


def wandb_mode_check(answer: Answer) -> Check:
    """What W&B's own settings come to.

    Args:
        answer: what a process said that asked the library.
    """
    if answer.code != 0:
        text = f"cannot be asked ({answer.error})"
        advice = "tracker=wandb may fail, the study goes on; see: wandb status"
        return bad("W&B", text, advice)
    mode = (answer.out.split("\n")[-2:] or [""])[0].strip()
    if mode == "offline":
        return good(
            "W&B", "offline: runs stay in the study folder (log in with: wandb login)"
        )
    return good("W&B", mode)
