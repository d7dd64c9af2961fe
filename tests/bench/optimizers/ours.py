"""Any optimizer of ours, by the name of its file in conf/optimizer."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from moosnn.optimizers.base import Optimizer
from moosnn.trial import Proposal, Status, Trial
from tests.bench.optimizers.machine import code
from tests.bench.optimizers.problems import Case
from tests.helpers import CONF, Story, append_proposal, load_yaml

EXACT_NOISE_SHARE = 0.0003  # a formula's
NAMES = tuple(sorted(p.stem for p in (CONF / "optimizer").glob("*.yaml")))


def optimizer_of(
    name: str, case: Case, changes: Mapping[str, Any]
) -> tuple[Optimizer, dict[str, Any]]:
    """The optimizer of a config file with some keys changed, and its keys.

    One that can be told of noise is told that a formula has none.
    """
    config = {**load_yaml(f"optimizer/{name}")}
    kind = _kind(config)
    if case.exact and "noise_share" in inspect.signature(kind).parameters:
        config["noise_share"] = EXACT_NOISE_SHARE
    config |= changes
    return _built(config), config


def _kind(config: Mapping[str, Any]) -> Any:
    module, _, name = config["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def _built(config: Mapping[str, Any]) -> Any:
    keys = {k: v for k, v in config.items() if k != "_target_"}
    for key, value in keys.items():
        if isinstance(value, Mapping) and "_target_" in value:
            keys[key] = _built(value)
    return _kind(config)(**keys)


class Ours:
    """An optimizer of ours and the history that it is a function of."""

    packages: tuple[str, ...] = ()

    def __init__(
        self, name: str, case: Case, seed: int, changes: Mapping[str, Any]
    ) -> None:
        self._case, self._seed = case, seed
        self._optimizer, settings = optimizer_of(name, case, changes)
        self.settings = {**settings, "code": code()}
        self._story = Story(case.problem)

    def ask(self) -> Proposal:
        problem, history = self._case.problem, self._story.history
        (proposal,) = self._optimizer.propose(problem, history, 1, self._seed)
        append_proposal(self._story, proposal)
        return proposal

    def tell(self, trial: Trial) -> None:
        number = trial.proposal.number
        if trial.status is Status.DONE and trial.evaluation is not None:
            self._story.finish_with(number, trial.evaluation)
        else:
            self._story.fail(number)
