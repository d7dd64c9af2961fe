"""A job of somebody's Hydra app as a task: overrides go in, what it returns comes out.

Knows: how a returned value becomes metrics, the study folder's config. Must not know:
optimizers, journals, how an app is started.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn

from hydra_plugins.moosnn_sweeper._app import App, Start
from hydra_plugins.moosnn_sweeper._overrides import words_of
from moosnn.errors import ConfigError, DivergedError
from moosnn.runtime.worker import read_config
from moosnn.space import Params, Space
from moosnn.tasks.base import Context
from moosnn.tasks.calls import plain_numbers
from moosnn.trial import Evaluation, Proposal

# Where a study's config keeps what a worker needs and what makes no other study of it.
RECORD = ("tracker", "hydra", "record")

# The app, where jobs run in the process that sweeps.
AT_HAND: ContextVar[App | None] = ContextVar("AT_HAND", default=None)


class HydraJob:
    """Runs jobs of a Hydra app in this process, one after the other.

    Args:
        app: the name of the app; another app is another study.
        metrics: what it returns, objectives first: the order of a list.
        settings: dotted keys of the app's config and their values as text; another
            value makes another study.
        trial_seed: the override that takes a job's own seed, or ``None``.
    """

    parameters: frozenset[str] | None = None

    def __init__(
        self,
        *,
        app: str,
        metrics: Sequence[str],
        settings: Mapping[str, str],
        trial_seed: str | None = None,
    ) -> None:
        self.metrics = tuple(metrics)
        self.always = self.metrics
        self._name = app
        self._settings = settings
        self._trial_seed = trial_seed
        self._app: App | None = None
        self._space: Space | None = None
        self._fixed: tuple[str, ...] = ()

    def check(self, params: Params) -> None:
        """Any point may be tried."""

    def refusal(self, params: Params) -> str | None:
        """Nothing is refused."""

    def fingerprint(self) -> Mapping[str, str]:
        """What an app's results depend on beside its config nobody knows."""
        return {}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Run a job; its folder is ``hydra.sweep.subdir``, at a second attempt too.

        Raises:
            ConfigError: it returned what is no measurement.
            DivergedError: a metric is not finite.
        """
        return self._run(proposal, context, None)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Run it again with another seed, in a folder inside of its folder."""
        return self._run(proposal, context, f"confirm-{proposal.seed}")

    def _run(
        self, proposal: Proposal, context: Context, subdir: str | None
    ) -> Evaluation:
        app, space = self._started(context.cache.parent)
        words = [*self._fixed, *words_of(space, proposal.params)]
        if self._trial_seed is not None:
            words.append(f"{self._trial_seed}={proposal.seed}")
        job: JobReturn = app.run(proposal.number, words, subdir)
        return Evaluation(metrics=measured(job.return_value, self.metrics))

    def _started(self, study: Path) -> tuple[App, Space]:
        """The app, started at the first job, and the space of the study."""
        if self._app is None or self._space is None:
            config = read_config(study)
            part: Any = config
            for key in RECORD:
                part = part[key]
            record = json.loads(part)
            self._fixed = tuple(record["fixed"])
            self._space = Space.from_config(config["space"])
            self._app = AT_HAND.get() or Start.from_json(record["start"]).again()
        return self._app, self._space


def measured(returned: object, metrics: Sequence[str]) -> dict[str, float]:
    """What an app returned as metrics.

    Args:
        returned: a mapping that has them all; or as many numbers in their order; or a
            number, if there is one of them.
        metrics: what is asked for.

    Returns:
        These, and whatever other finite numbers a mapping has.

    Raises:
        ConfigError: it is none of these.
        DivergedError: a metric that is asked for is not finite.
    """
    named = _named(returned, metrics)
    numbers = {name: _number(value) for name, value in named.items()}
    for name in metrics:
        if name not in numbers:
            raise _unexpected(metrics, f"a mapping without {name!r}")
        value = numbers[name]
        if value is None:
            raise _unexpected(metrics, f"{name}: {reprlib.repr(named[name])}")
        if not math.isfinite(value):
            raise DivergedError(f"{name} is {value}")
    return {n: v for n, v in numbers.items() if v is not None and math.isfinite(v)}


def _named(returned: object, metrics: Sequence[str]) -> dict[str, Any]:
    """The values by the names of the metrics."""
    if isinstance(returned, Mapping):
        return plain_numbers({str(name): value for name, value in returned.items()})
    tolist = getattr(returned, "tolist", None)  # an array or a tensor
    plain = tolist() if callable(tolist) else returned
    values = plain if isinstance(plain, list | tuple) else [plain]
    if returned is None or len(values) != len(metrics):
        raise _unexpected(metrics, reprlib.repr(returned))
    return plain_numbers(dict(zip(metrics, values, strict=True)))


def _number(value: object) -> float | None:
    """A number as a float; ``None`` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _unexpected(metrics: Sequence[str], what: str) -> ConfigError:
    """Says what a job should have returned."""
    names = ", ".join(metrics)
    example = ", ".join(f"{name!r}: …" for name in metrics)
    plain = "a number" if len(metrics) == 1 else f"{len(metrics)} numbers ({names})"
    return ConfigError(
        f"expected {{{example}}} or {plain} from the app's function, got {what}"
    )
