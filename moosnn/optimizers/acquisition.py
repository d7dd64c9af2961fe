"""What a further point adds to the feasible hypervolume, by BoTorch.

Knows: surrogates and BoTorch; this is the only file that imports BoTorch. Must not
know: trials, spaces, how candidates are found.

BoTorch maximises objectives and calls a negative constraint feasible. Gains are
maximised and violations are feasible below their zero here too, so nothing is turned
around: losses became gains in `moosnn.optimizers.outcomes`.

.. [Ament2023] S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy. Unexpected
   Improvements to Expected Improvement for Bayesian Optimization. NeurIPS 2023.
.. [Daulton2021] S. Daulton, M. Balandat, E. Bakshy. Parallel Bayesian Optimization of
   Multiple Noisy Objectives with Expected Hypervolume Improvement. NeurIPS 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from moosnn.errors import ConfigError
from moosnn.optimizers.torch_posterior import Conditional, TorchSurrogates
from moosnn.pareto.dominance import non_dominated
from moosnn.problem import Floats

with warnings.catch_warnings():
    # linear_operator compiles two functions in a way that torch 2.13 deprecates.
    warnings.filterwarnings(
        "ignore", "`torch.jit.script` is deprecated", DeprecationWarning
    )
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.objective import (
        IdentityMCMultiOutputObjective,
    )
    from botorch.acquisition.objective import LinearMCObjective
    from botorch.models.model import Model
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from botorch.sampling.normal import SobolQMCNormalSampler
    from botorch.utils.sampling import draw_sobol_normal_samples
    from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
    from linear_operator.utils.errors import NanError, NotPSDError
    from linear_operator.utils.warnings import NumericalWarning

TORCH_ERRORS = (LinAlgError, NanError, NotPSDError)

_PRUNING_SAMPLES = 256
_SCORED_AT_ONCE = 64  # points; bounds the memory, not the result


def set_kernel(kernel: str) -> None:
    """Choose between BoTorch's two implementations of the hypervolume's inner loop.

    BoTorch compiles a C++ kernel when it first needs one (``fused``) and has no public
    switch against it; marking the attempt as made leaves the Python one (``eager``).
    Once a process has loaded the fused kernel, it is set aside for ``eager``.

    Args:
        kernel: ``"eager"`` or ``"fused"``.

    Raises:
        ConfigError: BoTorch no longer has the private names this relies on.
    """
    names = ("_load_attempted", "_C", "_try_load_fused_kernel")
    missing = [name for name in names if not hasattr(logei, name)]
    if missing:
        raise ConfigError(
            f"BoTorch has no {', '.join(missing)} in {logei.__name__}: this version of "
            "it cannot be told which kernel to use. Install botorch 0.18."
        )
    eager = kernel == "eager"
    if eager:
        logei._C = None
    elif logei._C is None:
        logei._load_attempted = False
        logei._try_load_fused_kernel()
    logei._load_attempted = True


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the one warning that says nothing here.

    A candidate beside a measured point makes the joint covariance of both singular;
    the linear algebra adds a jitter of 1e-8 and more to it, and says so.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A not p.d.", NumericalWarning)
        yield


def improvement_score(
    surrogates: TorchSurrogates,
    baseline: Tensor,
    pending: Tensor | None,
    mc_samples: int,
    seed: int,
) -> TorchScore:
    """Log noisy expected hypervolume improvement over the reference [Daulton2021]_.

    With one objective: log noisy expected improvement [Ament2023]_.

    Args:
        surrogates: of all outputs; ``gains`` >= 1.
        baseline: ``r x e``, the observed points that may be on the front, r >= 1.
        pending: ``p x e``, the points that are being evaluated, or ``None``.
        mc_samples: quasi-random samples of the posterior, a power of two.
        seed: of the samples.

    Returns:
        The score.
    """
    sampler = SobolQMCNormalSampler(torch.Size([mc_samples]), seed=seed)
    common: dict[str, Any] = {
        "model": _Joint(surrogates),
        "X_baseline": baseline,
        "sampler": sampler,
        "constraints": constraints_of(surrogates) or None,
        "X_pending": pending,
        "cache_root": False,
        "prune_baseline": False,  # see `promising`
    }
    if surrogates.gains > 1:
        objective = IdentityMCMultiOutputObjective(outcomes=range(surrogates.gains))
        reference = surrogates.zeros[: surrogates.gains]
        function = _Nehvi(
            surrogates, seed + 2, objective=objective, ref_point=reference, **common
        )
    else:
        first = torch.zeros_like(surrogates.zeros)
        first[0] = 1.0
        function = qLogNoisyExpectedImprovement(
            objective=LinearMCObjective(first), **common
        )

    return TorchScore(function)


class TorchScore:
    """An acquisition function of BoTorch as a `Score`."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function

    def values(self, points: Floats) -> Floats:
        """The score at ``b x e`` points, ``b``."""
        with torch.no_grad():
            parts = torch.split(torch.as_tensor(points)[:, None], _SCORED_AT_ONCE)
            found: Floats = torch.cat([self._function(part) for part in parts]).numpy()
        return found

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        """The score at ``b x e`` points, and its slopes, ``b x e``."""
        at = torch.tensor(points, requires_grad=True)
        found = self._function(at[:, None])
        (slopes,) = torch.autograd.grad(found.sum(), at)
        return found.detach().numpy(), slopes.numpy()


def constraints_of(surrogates: TorchSurrogates) -> list[Callable[[Tensor], Tensor]]:
    """One function a violation, from samples ``… x k`` to ``…``, feasible <= 0."""

    def bound(output: int) -> Callable[[Tensor], Tensor]:
        zero = surrogates.zeros[output]
        return lambda samples: samples[..., output] - zero

    return [bound(k) for k in range(surrogates.gains, len(surrogates.zeros))]


def promising(surrogates: TorchSurrogates, observed: Tensor, seed: int) -> Tensor:
    """The points that any of 256 posterior samples has on the front over the reference.

    What BoTorch's ``prune_inferior_points_multi_objective`` does, which draws a global
    seed. Infeasible points are on no front; if all are on none, the one whose means
    violate and fall short of the reference least in sum is kept.

    Args:
        surrogates: of all outputs; ``gains`` >= 1.
        observed: ``n x e``, the points whose objectives are known, n >= 1.
        seed: of the samples.

    Returns:
        ``r x e``, 1 <= r <= n.
    """
    posterior = _Joint(surrogates).posterior(observed)
    sampler = SobolQMCNormalSampler(torch.Size([_PRUNING_SAMPLES]), seed=seed)
    samples = sampler(posterior)
    gains = samples[..., : surrogates.gains]
    good = (gains > surrogates.zeros[: surrogates.gains]).all(-1)
    good &= gains.isfinite().all(-1)
    for constraint in constraints_of(surrogates):
        good &= constraint(samples) <= 0
    kept = torch.zeros(len(observed), dtype=torch.bool)
    for sample, rows in zip(gains, good, strict=True):  # none but the good dominates
        front = non_dominated(-sample[rows].numpy())
        kept[rows.nonzero()[front, 0]] = True
    if not bool(kept.any()):
        signs = torch.ones_like(surrogates.zeros)
        signs[: surrogates.gains] = -1.0
        means = surrogates.joint(observed[:, None])[0][..., 0]
        excess = signs * (means - surrogates.zeros)
        kept[excess.clamp_min(0.0).sum(-1).argmin()] = True
    return observed[kept]


class _Joint(Model):  # type: ignore[misc]  # BoTorch is not typed
    """The surrogates as BoTorch wants them: joint over points, not over outputs."""

    def __init__(self, surrogates: TorchSurrogates) -> None:
        super().__init__()
        self._surrogates = surrogates

    @property
    def num_outputs(self) -> int:
        return len(self._surrogates.zeros)

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size()

    def posterior(self, X: Tensor, *_: object, **__: object) -> GPyTorchPosterior:  # noqa: N803  # BoTorch's name
        """The posterior at ``… x q x d``."""
        groups = X.reshape(-1, *X.shape[-2:])
        means, covariances = self._surrogates.joint(groups)
        means = means.reshape(*X.shape[:-2], *means.shape[-2:])
        covariances = covariances.reshape(*X.shape[:-2], *covariances.shape[-3:])
        batch = MultivariateNormal(means, covariances)
        joint = MultitaskMultivariateNormal.from_batch_mvn(batch, task_dim=-1)
        return GPyTorchPosterior(joint)

    def subset_output(self, idcs: list[int]) -> Model:
        raise NotImplementedError


class _Nehvi(logei.qLogNoisyExpectedHypervolumeImprovement):  # type: ignore[misc]
    """BoTorch's acquisition function with a shorter way to its samples.

    BoTorch computes the joint posterior of a candidate and the whole baseline anew for
    each candidate. Given the baseline's samples, only the candidate's conditional
    distribution is needed; that is several times faster. (Were the overridden method
    renamed, BoTorch's own way would be taken.)

    Args:
        surrogates: of all outputs.
        seed: of the candidate's normal samples.
        **rest: as BoTorch's; ``X_pending`` joins the baseline.
    """

    def __init__(self, surrogates: TorchSurrogates, seed: int, **rest: Any) -> None:  # noqa: ANN401  # BoTorch's own arguments
        super().__init__(**rest)
        self._conditional = Conditional(surrogates, self.X_baseline)
        posterior = self.model.posterior(self.X_baseline)
        self._white = self._conditional.whitened(self.base_sampler(posterior))
        shape = self.base_sampler.sample_shape
        outputs = len(surrogates.zeros)
        self._own = draw_sobol_normal_samples(
            d=outputs, n=shape.numel(), dtype=torch.double, seed=seed
        )

    def _compute_posterior_samples_and_concat_pending(
        self,
        X: Tensor,  # noqa: N803  # BoTorch's name
    ) -> tuple[Tensor, Tensor]:
        samples = self._conditional.samples(X[:, 0], self._white, self._own)
        return samples[:, :, None], X
