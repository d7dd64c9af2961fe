"""What a trained network loses on imperfect hardware.

Knows: which imperfections are tried, how losses are named and put together. Must not
know: how hardware changes a network (`moosnn.snn.chip`), objectives, files. torch is
imported when something is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import mean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, nearest, number_hint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from moosnn.snn.network import SpikingNetwork
    from moosnn.snn.samples import Samples

LOST = "accuracy_lost"
WORST = "accuracy_lost_worst"
_BITS: Mapping[str, int] = MappingProxyType({"bits_4": 4, "bits_6": 6, "bits_8": 8})
_PCM = ("pcm_hour", "pcm_day", "pcm_month")
_MISMATCH = "mismatch"
CONDITIONS = (*_PCM, _MISMATCH, *_BITS)
# Every random purpose has a stream of its own: what is tried beside it shifts nothing.
_STREAMS = ("pcm_writing", *_PCM, _MISMATCH)
_LARGEST_SEED = 2**62

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What is tried.

    Attributes:
        samples: chips of each condition that has chance in it, >= 1.
        conditions: of `CONDITIONS`, each once, at least one. ``pcm_*``: weights in
            phase-change memory an hour, a day or a month (30 days) after writing
            (`moosnn.snn.pcm`); ``mismatch``: unequal neurons (`moosnn.snn.mismatch`);
            ``bits_*``: weights of so many bits (`moosnn.snn.quantisation`).
        threshold_sd: relative standard deviation of thresholds, in [0, 1].
        tau_sd: that of time constants, in [0, 1].

    Raises:
        ConfigError: an unknown condition, one that is there twice, or a number out of
            its range.
    """

    samples: int = 8
    conditions: tuple[str, ...] = CONDITIONS
    threshold_sd: float = 0.2
    tau_sd: float = 0.2

    def __post_init__(self) -> None:
        whole = isinstance(self.samples, int) and not isinstance(self.samples, bool)
        if not whole or self.samples < 1:
            raise ConfigError(
                "task.robustness.samples: expected a whole number >= 1, got "
                f"{self.samples!r}."
            )
        for name in ("threshold_sd", "tau_sd"):
            value = getattr(self, name)
            if not (is_number(value) and 0.0 <= value <= 1.0):
                raise ConfigError(
                    f"task.robustness.{name}: expected a number in [0, 1], got "
                    f"{value!r}.{number_hint(value)}"
                )
        object.__setattr__(self, "conditions", _conditions(self.conditions))

    @classmethod
    def of(cls, raw: object) -> Self | None:
        """Read the YAML form.

        Args:
            raw: a mapping of the attributes, ``{}`` for the defaults; or ``None``.

        Raises:
            ConfigError: no mapping, an unknown key, or a bad value.
        """
        if raw is None or isinstance(raw, cls):
            return raw
        known = [f.name for f in fields(cls)]
        if not isinstance(raw, Mapping):
            raise ConfigError(
                f"task.robustness: expected null or a mapping of {', '.join(known)}, "
                f"got {raw!r}."
            )
        for key in raw:
            if key not in known:
                raise ConfigError(
                    f"task.robustness: unknown key {key!r}.{nearest(str(key), known)}"
                )
        return cls(**raw)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what `measure` gives."""
        return names_of(self.conditions)

    @property
    def random(self) -> bool:
        """Whether two chips may differ."""
        return not set(self.conditions) <= set(_BITS)

    def measure(
        self,
        network: SpikingNetwork,
        samples: Samples,
        code: Callable[[], torch.Generator],
        generator: torch.Generator,
    ) -> tuple[Metrics, Metrics]:
        """What a network loses; it is not changed.

        Args:
            network: trained, on the device of the samples.
            samples: two or more.
            code: gives the generator of the input's code, always the same one: clean
                or not, every network sees equal inputs.
            generator: of everything random about chips, on the CPU.

        Returns:
            `lost`, and the `standard_error` of ``accuracy_lost``; but none of a single
            chip, which does not tell how much another one differs.
        """
        from moosnn.snn.chip import Chip

        chip = Chip(network, samples, code)
        clean = chip.correct()
        tried = _tried(chip, generator, self)
        accuracies = {name: [*map(_share, chips)] for name, chips in tried.items()}
        metrics = lost(_share(clean), accuracies)
        if self.random and self.samples == 1:
            return metrics, {}
        return metrics, {LOST: standard_error(clean, tried)}


def names_of(conditions: Sequence[str]) -> tuple[str, ...]:
    """The metrics of some conditions."""
    single = [f"{name}.{c}" for name in (LOST, WORST) for c in conditions]
    return (LOST, WORST, *single)


def unasked(plan: Robustness | None) -> dict[str, str]:
    """What to set for each metric that a plan does not have."""
    if plan is None:
        some = f"task.robustness.samples={Robustness().samples}"
        asked = dict.fromkeys(names_of(CONDITIONS), some)
        # the axis of that problem; it would not have another metric
        asked[LOST] = f"{some}, or problem=accuracy_activity_robustness"
        return asked
    conditions = {
        metric: [*plan.conditions, metric.partition(".")[2]]
        for metric in names_of(CONDITIONS)
        if metric not in plan.metrics
    }
    return {
        metric: f"task.robustness.conditions=[{','.join(names)}]"
        for metric, names in conditions.items()
    }


def lost(clean: float, accuracies: Mapping[str, Sequence[float]]) -> Metrics:
    """What is lost of an accuracy, in its own unit; negative where noise helped.

    Args:
        clean: the accuracy of the trained network.
        accuracies: of each condition that of every chip.

    Returns:
        ``accuracy_lost.c`` and ``accuracy_lost_worst.c`` of each condition c: mean and
        largest loss of its chips; ``accuracy_lost``, the mean of those means; and
        ``accuracy_lost_worst``, the largest of all.
    """
    means = {c: clean - mean(found) for c, found in accuracies.items()}
    worst = {c: clean - min(found) for c, found in accuracies.items()}
    return {
        LOST: mean(means.values()),
        WORST: max(worst.values()),
        **{f"{LOST}.{c}": value for c, value in means.items()},
        **{f"{WORST}.{c}": value for c, value in worst.items()},
    }


def standard_error(clean: Tensor, tried: Mapping[str, Sequence[Tensor]]) -> float:
    """The standard error of ``accuracy_lost``, for other samples and other chips.

    The losses are a table of samples and chips, the mean over conditions; a condition
    without chance counts for every chip. With both rows and columns drawn at random,
    the variance of the table's mean is at most that of the row means, divided by their
    number, plus that of the column means, divided by theirs (what is neither of the
    sample nor of the chip is then counted twice).

    Args:
        clean: ``n`` booleans, what the trained network gets right; n >= 2.
        tried: of each condition the same of each chip: as many chips as another
            condition, or one.
    """
    import torch

    columns = max(map(len, tried.values()))
    right = [torch.stack(list(chips), 1).double() for chips in tried.values()]
    table = torch.stack([r.expand(-1, columns) for r in right]).mean(0)
    losses = clean.double()[:, None] - table
    variance = losses.mean(1).var() / len(losses)
    if columns > 1:
        variance = variance + losses.mean(0).var() / columns
    return float(variance.sqrt())


def _share(correct: Tensor) -> float:
    return int(correct.sum()) / len(correct)


def _tried(
    chip: Any,  # noqa: ANN401 -- a `moosnn.snn.chip.Chip`, which imports torch
    generator: torch.Generator,
    plan: Robustness,
) -> dict[str, list[Tensor]]:
    """Of each condition what every chip gets right."""
    import torch

    from moosnn.snn import chip as hardware
    from moosnn.snn import pcm

    seeds = torch.randint(_LARGEST_SEED, (len(_STREAMS),), generator=generator)
    streams = {
        name: torch.Generator().manual_seed(seed)
        for name, seed in zip(_STREAMS, seeds.tolist(), strict=True)
    }
    seconds = dict(zip(_PCM, (pcm.HOUR_S, pcm.DAY_S, pcm.MONTH_S), strict=True))
    aged = [name for name in plan.conditions if name in _PCM]
    found: dict[str, list[Tensor]] = {name: [] for name in plan.conditions}
    for _ in range(plan.samples if aged else 0):
        crossbar = hardware.Crossbar(chip, streams["pcm_writing"])
        for name in aged:
            crossbar.read(seconds[name], streams[name])
            found[name].append(chip.correct())
    chip.restore()
    for _ in range(plan.samples if _MISMATCH in found else 0):
        chip.vary(plan.threshold_sd, plan.tau_sd, streams[_MISMATCH])
        found[_MISMATCH].append(chip.correct())
    chip.restore()
    for name in [name for name in plan.conditions if name in _BITS]:
        hardware.quantise(chip, _BITS[name])
        found[name].append(chip.correct())
    return found


def _conditions(given: object) -> tuple[str, ...]:
    """The names of conditions.

    Raises:
        ConfigError: no list of them, or with the nearest name.
    """
    where = "task.robustness.conditions"
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ConfigError(
            f"{where}: expected a list such as [{_PCM[1]}, {_MISMATCH}], got {given!r}."
        )
    for name in given:
        if name not in CONDITIONS:
            raise ConfigError(f"{where}: got {name!r}.{nearest(str(name), CONDITIONS)}")
        if given.count(name) > 1:
            raise ConfigError(f"{where}: {name!r} is there twice.")
    return tuple(given)
