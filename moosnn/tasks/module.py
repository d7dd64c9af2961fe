"""Somebody's own spiking network: a factory of spikingjelly, snnTorch or Norse modules.

Knows: how a proposal becomes a trained network and an evaluation. Must not know:
objectives, optimizers, journals. torch is imported by the factory's module.

Data, coding, loss, optimizer, silence watch, checkpoints and every metric are those of
`moosnn.tasks.snn`; only the network is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

from moosnn.errors import ConfigError
from moosnn.rungs import Rungs
from moosnn.snn.cost import OF_OPERATIONS
from moosnn.snn.data import DataSource
from moosnn.snn.data.digits import Digits
from moosnn.snn.metrics import ALWAYS, METRICS
from moosnn.snn.silence import STAGES, Edge
from moosnn.space import Params, Value
from moosnn.tasks.base import Abilities, Context
from moosnn.tasks.dotted import digest, function_named
from moosnn.tasks.module_files import save
from moosnn.tasks.module_points import ModulePoints
from moosnn.tasks.regime import Regime
from moosnn.tasks.snn_rungs import AT_RUNGS
from moosnn.tasks.torch_settings import (
    device_named,
    forked,
    generator,
    torch_threads,
)
from moosnn.tasks.training_run import MEASURING, WEIGHTS, Run, train_split
from moosnn.trial import Evaluation, Proposal

if TYPE_CHECKING:
    import torch

    from moosnn.snn.genes import Genes
    from moosnn.snn.hooks_network import HookedNetwork

_SHARE = MEASURING + 1
# Makes a training ask twice whether a network is silent; the network has its own.
_SOME_DROPOUT = 0.5


class ModuleTask:
    """Trains what a factory makes by surrogate gradients, and measures it.

    Args:
        factory: dotted name of a function (or class) that makes an ``nn.Module`` of a
            point's values; see docs/own_network.md for what the module takes and gives.
        data: where samples come from; ``None`` = the digits of scikit-learn.
        step: whether the module is called once a step.
        spiking: dotted names of further classes of spiking modules.
        stages: ``"all"`` = each spiking module is a stage; ``"last"`` = silence is
            judged in the last only; or names of modules, or lists of names.
        operations: whether operations are counted. A network of which only a part could
            be is refused; ``False`` = no metric that is made of them.
        fixed: values of parameters that the space does not search.
        alpha: see `moosnn.tasks.snn.SnnTask`, as all that follows.
        beta: see there.
        stop: see there. A network that hides its membranes is stopped by the rule
            ``sequential`` in place of ``drive``.
        min_updates: see there.
        device: see there.
        checkpoint_s: see there.
        threads: see there.
        rungs: see there.

    Raises:
        ConfigError: no such factory, an unknown name or a value out of its range.
    """

    metrics: tuple[str, ...] = METRICS
    always: tuple[str, ...] = ALWAYS

    def __init__(
        self,
        *,
        factory: str | None = None,
        data: DataSource | None = None,
        step: bool = False,
        spiking: Sequence[str] = (),
        stages: str | Sequence[str | Sequence[str]] = "all",
        operations: bool = True,
        fixed: Mapping[str, Value] | None = None,
        alpha: int = 1,
        beta: float = 0.10,
        stop: str = "drive",
        min_updates: int | None = None,
        device: str = "cpu",
        checkpoint_s: float = 60.0,
        threads: int | None = None,
        rungs: Mapping[str, int] | None = None,
    ) -> None:
        if factory is None:
            raise ConfigError(
                "task.factory: expected the dotted name of your function, e.g. "
                "task.factory=my_net.make_net for make_net in my_net.py."
            )
        for name, value in (("step", step), ("operations", operations)):
            if not isinstance(value, bool):
                raise ConfigError(f"{name}: expected true or false, got {value!r}.")
        if not operations:
            self.metrics = tuple(m for m in METRICS if m not in OF_OPERATIONS)
            self.always = tuple(m for m in ALWAYS if m not in OF_OPERATIONS)
        self._name = factory
        self._factory = function_named(factory, "task.factory")
        self._source: DataSource = Digits() if data is None else data
        self._step, self._taught = step, tuple(spiking)
        self._counted = operations
        self._stages = None if isinstance(stages, str) else list(stages)
        self._rungs = Rungs.of(rungs)
        self._regime = Regime(
            edge=Edge(alpha=alpha, beta=beta, stages=_judged(stages)),
            stop=stop,
            min_updates=min_updates,
            checkpoint_s=checkpoint_s,
            device=device,
            threads=threads,
        )
        self.abilities = Abilities(
            at_rungs=tuple(m for m in AT_RUNGS if m in self.metrics),
            reports_count="epochs",
            on_gpus=self._regime.on_gpus,
        )
        self._points = ModulePoints(self._source, fixed or {}, self._factory)
        self.parameters: frozenset[str] | None = self._points.names
        self._tried = False
        self._made: WeakSet[torch.nn.Module] = WeakSet()

    def check(self, params: Params) -> None:
        """Refuse values that no training has; and, once, a network that is no use.

        Raises:
            ConfigError: with the parameter and what was expected; or the factory needs
                one that the point lacks; or the network is not one that can be heard,
                or does not begin at rest.
            DataError: the data are not there.
        """
        genes = self._points.genes(params)
        lacking = self._points.lacking(params)
        if lacking:
            raise ConfigError(
                f"task.factory: {self._name} has no default for {', '.join(lacking)}: "
                "give each point a value, in the space or in task.fixed."
            )
        if self._tried:
            return
        self._tried = True
        try:
            with forked(None), torch_threads(1):
                network = self._network(params, genes, 0)
                network.require_rest()
                network.forget()
        except ConfigError:
            raise
        except Exception:
            return  # a point may lack inactive values: a trial will tell

    def refusal(self, params: Params) -> str | None:
        """Nothing is refused: what the factory makes is known when it is made."""

    def fingerprint(self) -> Mapping[str, str]:
        """The sha256 of the data and its splits."""
        return {"data": self._source.fingerprint()}

    def versions(self) -> Mapping[str, str]:
        """A digest of the code that the factory stands in."""
        return {self._name: digest(self._factory)}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train on the train split and measure on the validation split.

        Raises as `moosnn.tasks.snn.SnnTask.evaluate`, and whatever the factory and the
        network raise.
        """
        return self._run(proposal, context, "validation", self._rungs)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train with the proposal's seed and measure once on the test split.

        Raises as `evaluate`.
        """
        return self._run(proposal, context, "test")

    def _run(
        self,
        proposal: Proposal,
        context: Context,
        split: str,
        rungs: Rungs | None = None,
    ) -> Evaluation:
        from moosnn.snn.hooks_learning import fit
        from moosnn.snn.hooks_measure import metrics_of

        device = device_named(self._regime.device)
        with torch_threads(self._regime.threads), forked(device):
            genes = self._points.genes(proposal.params)
            network = self._network(proposal.params, genes, proposal.seed).to(device)
            data = self._source.load(genes.time_steps, context.cache)
            chosen = generator(proposal.seed, _SHARE)
            run = Run(
                regime=self._regime,
                network=network,
                fit=partial(fit, network),
                measure=partial(metrics_of, network),
                data=data,
                train=train_split(data, genes.training_share, device, chosen),
                proposal=proposal,
                context=context,
                rungs=rungs,
                blind=not network.knows_membranes(),
            )
            try:
                outcome = run.outcome(split)
            finally:
                network.forget()
            found = outcome.evaluation
            facts = {
                "factory": self._name,
                "arguments": self._points.arguments(proposal.params, genes),
                "stages": network.stage_names,
                "step": self._step,
                "data": self._points.description.name,
                "data_sha256": self._source.fingerprint(),
                "number": proposal.number,
                "seed": proposal.seed,
                "measured_on": outcome.split,
                "stopped": found.stopped,
            }
            save(context, network.module, facts)
            return found

    def _network(self, params: Params, genes: Genes, seed: int) -> HookedNetwork:
        """What the factory makes of a point, its weights drawn by the seed."""
        import torch

        from moosnn.snn.hooks_network import HookedNetwork

        torch.manual_seed(generator(seed, WEIGHTS).initial_seed())
        module = self._factory(**self._points.arguments(params, genes))
        if not isinstance(module, torch.nn.Module):
            raise ConfigError(
                f"task.factory: expected {self._name} to return an nn.Module, got "
                f"{type(module).__name__}."
            )
        if module in self._made:
            raise ConfigError(
                f"task.factory: {self._name} returned a network that it had returned "
                "before, trained since: expected a new one for each trial."
            )
        self._made.add(module)
        about = self._points.description
        return HookedNetwork(
            module,
            _dropping(genes, module),
            about.shape,
            about.classes,
            step=self._step,
            taught=self._taught,
            stages=self._stages,
            counted=self._counted,
        )


def _judged(stages: str | Sequence[str | Sequence[str]]) -> str:
    """Which stages count, for the edge.

    Raises:
        ConfigError: a text that is none of the two.
    """
    if not isinstance(stages, str):
        return STAGES[0]
    if stages not in STAGES:
        raise ConfigError(
            f"stages: expected {' or '.join(STAGES)}, or a list of names of spiking "
            f"modules, got {stages!r}."
        )
    return stages


def _dropping(genes: Genes, module: torch.nn.Module) -> Genes:
    """The genes, with a dropout if the network has one.

    A network that is called silent is then heard once more with nothing dropped out.
    """
    drops = any("Dropout" in type(part).__name__ for part in module.modules())
    return replace(genes, dropout=_SOME_DROPOUT) if drops else genes
