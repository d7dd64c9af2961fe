"""The plugin that Hydra finds: ``hydra/sweeper=moosnn``, and what can be set in it.

Knows: Hydra's interface of sweepers, the keys of ``hydra.sweeper`` and their defaults.
Must not know: how an override becomes a parameter, how a study is run.

Hydra imports this module at the start of every app, so it imports nothing of ours.
What lies beside it begins with an underscore: Hydra's search for plugins leaves that
alone.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

# A mapping and no dataclass: of an unknown key Hydra would say that it is not in
# MoosnnSweeperConf, and we say which one is nearest.
DEFAULTS: dict[str, Any] = {
    "_target_": "hydra_plugins.moosnn_sweeper.sweeper.MoosnnSweeper",
    "_recursive_": False,
    "_convert_": "all",
    "objectives": None,  # [{metric: loss, goal: min, reference: 2}, …]
    "constraints": None,  # [{metric: latency_ms, upper: 5}, …]
    "params": None,  # overrides beside those of the command: {lr: "interval(0, 1)"}
    "when": None,  # which parameter exists only beside others: {x: {kind: [a, b]}}
    "budget": 100,  # jobs that end
    "optimizer": "ehvi",  # a name, or {name: qnehvi, …}
    "executor": "local",  # where jobs run: a name, or {name: slurm, …}
    "workers": None,  # jobs side by side; null = as many as the executor finds room for
    "tracker": "console",  # a name, a list of them, or {console: null, wandb: {…}}
    "seed": 0,  # of the search
    "trial_seed": None,  # the override that takes a job's own seed: seed, ++run.seed
    "hours": None,
    "stagnation": None,
    "suggestion_s": 300,
    "confirm": 0,  # front members run again with other seeds; needs trial_seed
    "replicates": None,
    "enqueue": None,
    "warm_start": None,
    "warm_start_points": 5,
    "warm_start_fill": None,
}


class MoosnnSweeper(Sweeper):  # type: ignore[misc] # Hydra is untyped for mypy
    """Searches for the front of what an app returns, job by job.

    Hydra's launcher is not used: jobs go through the executors of moosnn, and none
    waits for others to end.
    """

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - what stands in the YAML
        self._given = given
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.task_function: TaskFunction | None = None

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Take what Hydra gives."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> None:
        """Search, or go on with the search in ``hydra.sweep.dir``.

        Args:
            arguments: the app's overrides.

        Raises:
            SystemExit: 2 after a user's mistake or the machine's trouble, which was
                printed in one line.
        """
        from hydra_plugins.moosnn_sweeper._sweep import Sweep

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        Sweep(
            given=self._given,
            context=self.hydra_context,
            task_function=self.task_function,
            config=self.config,
        ).run(arguments)


# Not in struct mode: an unknown key of a command line comes here too.
_NODE = OmegaConf.create(DEFAULTS)
OmegaConf.set_struct(_NODE, False)
ConfigStore.instance().store(
    group="hydra/sweeper", name="moosnn", node=_NODE, provider="moosnn"
)
