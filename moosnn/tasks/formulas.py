"""Formulas with a known best front, to measure optimizers with.

Knows: four functions of a point. Must not know: tasks, optimizers, networks, files.

=====================  ==============================================================
`branin_currin`        two floats -> ``branin``, ``currin``, ``disk`` (feasible
                       <= 50); reference (80, 12), largest hypervolume 608.40
`c2dtlz2`              two or more floats -> ``f1``, ``f2``, ``c2`` (feasible <= 0);
                       reference (1.1, 1.1), largest hypervolume 0.3996, wherever the
                       distance variables have their optimum
`disc_brake`           four floats -> ``mass``, ``stopping_time`` and four constraints
                       (feasible <= 0); reference (5.7771, 3.9651), largest
                       hypervolume 11.223
`mixed_conditional`    floats, integers and a choice, three of them conditional ->
                       ``f1``, ``f2``, ``c`` (feasible <= 0); reference (1.1, 1.1),
                       largest hypervolume 0.86036143 in closed form
=====================  ==============================================================

All objectives are minimised. The first two hypervolumes are those of BoTorch 0.18's
problems of the same names, found there by NSGA-II; the third is the integral over the
least stopping time at each of 200 masses, found by SLSQP.

.. [Belakaria2019] S. Belakaria, A. Deshwal, J. R. Doppa. Max-value Entropy Search for
   Multi-Objective Bayesian Optimization. NeurIPS 2019 (Branin-Currin).
.. [Gelbart2014] M. A. Gelbart, J. Snoek, R. P. Adams. Bayesian Optimization with
   Unknown Constraints. UAI 2014 (the disk).
.. [Deb2005] K. Deb, L. Thiele, M. Laumanns, E. Zitzler. Scalable Test Problems for
   Evolutionary Multi-Objective Optimization. 2005 (DTLZ2).
.. [Jain2014] H. Jain, K. Deb. An Evolutionary Many-Objective Optimization Algorithm
   Using Reference-Point Based Nondominated Sorting Approach, Part II. IEEE TEVC 18(4),
   2014, section III (the constraint C2).
.. [Tanabe2020] R. Tanabe, H. Ishibuchi. An Easy-to-use Real-world Multi-objective
   Optimization Problem Suite. Applied Soft Computing 89, 2020 (the disc brake).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from moosnn.space import Params, Value

_C2_RADIUS = 0.2  # of the feasible balls around the ends of the front

# Where shifted distance variables have their optimum: between these and their mirror
# images, never near the centre, where several optimizers put their first point.
_OUTER_OPTIMUM, _INNER_OPTIMUM = 0.15, 0.40

# The mixed problem. Each kind of point has a best rate and parameters of its own.
_STEPS = 5  # values of ``coarse``
_BEST_LOG_RATE = {"linear": -1.5, "bent": -3.0, "stacked": -3.5}
_BEST_SHARPNESS = 0.7
_BEST_BLOCKS = 4
_BEST_GATE = 0.3
_GATED_FROM = 3  # blocks
_MOST_EXCESS = 0.2  # feasible
_GAP = (0.45, 0.55)  # positions between these are not feasible


def branin_currin(point: Sequence[float]) -> dict[str, float]:
    """Branin and Currin [Belakaria2019]_ inside of a disk [Gelbart2014]_.

    Args:
        point: two numbers in [0, 1].

    Returns:
        ``branin``, ``currin``, and ``disk``: the squared distance from (2.5, 7.5) in
        Branin's own domain [-5, 10] x [0, 15].
    """
    x1, x2 = point
    u, v = 15 * x1 - 5, 15 * x2
    branin = (
        (v - 5.1 * u**2 / (4 * math.pi**2) + 5 * u / math.pi - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(u)
        + 10
    )
    damping = 1 - math.exp(-1 / (2 * x2)) if x2 > 0 else 1.0
    currin = (
        damping
        * (2300 * x1**3 + 1900 * x1**2 + 2092 * x1 + 60)
        / (100 * x1**3 + 500 * x1**2 + 4 * x1 + 20)
    )
    disk = (u - 2.5) ** 2 + (v - 7.5) ** 2
    return {"branin": branin, "currin": currin, "disk": disk}


def c2dtlz2(
    point: Sequence[float], optima: Sequence[float] | None = None
) -> dict[str, float]:
    """DTLZ2 [Deb2005]_ with two objectives and the constraint C2 [Jain2014]_.

    Args:
        point: two or more numbers in [0, 1].
        optima: where each distance variable, all but the first, is best, in [0, 1];
            ``None`` = at 0.5 as in the papers.

    Returns:
        ``f1``, ``f2``, and ``c2``: <= 0 in one of three balls around the ends (radius
        0.2) and the middle of the unconstrained front. As in BoTorch, the square of 0.2
        is subtracted once for each objective in the middle, where pymoo subtracts it
        once: that ball has radius sqrt(0.08) = 0.28.
    """
    best = [0.5] * (len(point) - 1) if optima is None else optima
    distance = 1 + sum((x - o) ** 2 for x, o in zip(point[1:], best, strict=True))
    angle = point[0] * math.pi / 2
    f1, f2 = distance * math.cos(angle), distance * math.sin(angle)
    square = _C2_RADIUS**2
    ends = min((f1 - 1) ** 2 + f2**2, (f2 - 1) ** 2 + f1**2) - square
    middle = (f1 - math.sqrt(0.5)) ** 2 + (f2 - math.sqrt(0.5)) ** 2 - 2 * square
    return {"f1": f1, "f2": f2, "c2": min(ends, middle)}


def shifted_optima(count: int) -> list[float]:
    """Optima of ``count`` distance variables in [0.15, 0.40] or [0.60, 0.85] each.

    They alternate between the two ranges and go from the outer ends inwards.
    """
    step = (_INNER_OPTIMUM - _OUTER_OPTIMUM) / max(count - 1, 1)
    low = [_OUTER_OPTIMUM + step * k for k in range(count)]
    return [1 - x if k % 2 else x for k, x in enumerate(low)]


def disc_brake(point: Sequence[float]) -> dict[str, float]:
    """The design of a disc brake, RE-CRE suite [Tanabe2020]_, all variables continuous.

    Args:
        point: inner radius in [55, 80] mm, outer radius in [75, 110] mm, engaging force
            in [1000, 3000] N, number of friction surfaces in [11, 20].

    Returns:
        ``mass`` (kg), ``stopping_time`` (s), and the four constraints ``radii``,
        ``pressure``, ``temperature``, ``torque``, feasible <= 0.
    """
    inner, outer, force, surfaces = point
    area = outer**2 - inner**2
    volume = outer**3 - inner**3
    return {
        "mass": 4.9e-5 * area * (surfaces - 1),
        "stopping_time": 9.82e6 * area / (force * surfaces * volume),
        "radii": 20 - (outer - inner),
        "pressure": force / (3.14 * area) - 0.4,
        "temperature": 2.22e-3 * force * volume / area**2 - 1,
        "torque": 900 - 2.66e-2 * force * surfaces * volume / area,
    }


def mixed_conditional(params: Params) -> dict[str, float]:
    """Three kinds of points that share a front; most parameters depend on others.

    ``coarse`` and ``fine`` together say the position ``s`` along the front, ``kind``
    which curve is followed, and everything else how far the point lies behind it: the
    excess ``g`` >= 0 is added to both objectives, ``f1 = s + g``, ``f2 = h(s) + g``.
    It can be 0 at every position of every kind, and the constraint

        c = max(g - 0.2, 0.05 - |s - 0.5|)

    keeps the point without excess whenever it keeps one with it. So the front is
    ``(s, best_curve(s))`` for s in [0, 0.45] and [0.55, 1].

    Args:
        params: ``kind`` (``linear``, ``bent``, ``stacked``), ``coarse`` (1 … 5),
            ``fine`` in [0, 1], ``mix`` in [0, 1], ``rate`` > 0; ``sharpness`` in [0, 1]
            if bent; ``blocks`` (1 … 6) if stacked; ``gate`` in [0, 1] if stacked with 3
            or more blocks. What does not exist counts for nothing.

    Returns:
        ``f1``, ``f2``, ``c``.
    """
    kind = str(params["kind"])
    position = (number(params, "coarse") - 1 + number(params, "fine")) / _STEPS
    excess = (number(params, "mix") - 0.2 - 0.6 * position) ** 2
    log_rate = math.log10(number(params, "rate"))
    excess += 0.1 * (log_rate - _BEST_LOG_RATE[kind]) ** 2
    if kind == "bent":
        excess += (number(params, "sharpness") - _BEST_SHARPNESS) ** 2
    if kind == "stacked":
        blocks = number(params, "blocks")
        excess += 0.05 * (blocks - _BEST_BLOCKS) ** 2
        if blocks >= _GATED_FROM:
            excess += (number(params, "gate") - _BEST_GATE) ** 2
    middle, half = sum(_GAP) / 2, (_GAP[1] - _GAP[0]) / 2
    return {
        "f1": position + excess,
        "f2": curve(kind, position) + excess,
        "c": max(excess - _MOST_EXCESS, half - abs(position - middle)),
    }


def curve(kind: str, position: float) -> float:
    """``h(s)`` of `mixed_conditional`, for s in [0, 1].

    ``linear`` 1 - s, ``bent`` 0.2 + 0.8 (1 - s)^3, ``stacked`` 0.7 - 0.65 s.
    """
    if kind == "linear":
        return 1 - position
    if kind == "bent":
        return 0.2 + 0.8 * (1 - position) ** 3
    return 0.7 - 0.65 * position


def best_curve(position: float) -> float:
    """The lowest curve of `mixed_conditional` at s in [0, 1]; it falls everywhere.

    ``stacked`` up to s = 1/4, ``bent`` up to 3/4, ``stacked`` up to 6/7, ``linear``.
    """
    return min(curve(kind, position) for kind in _BEST_LOG_RATE)


def number(params: Params, name: str) -> float:
    """The value of a parameter that is no choice."""
    value: Value = params[name]
    assert isinstance(value, int | float), f"{name} is a number of the space"
    return float(value)
