"""Studies made up for the page: the schema filled in, with no training behind it.

What is on the front is found by the project's own code, so that the page and the sample
cannot agree on a mistake.
"""

from __future__ import annotations

import numpy as np

from moosnn.pareto.dominance import non_dominated
from moosnn.problem import Objective

OBJECTIVES = (
    Objective(metric="accuracy", goal="max", reference=0.5),
    Objective(
        metric="spikes_per_sample", goal="min", reference=1000.0, scale="log", floor=1.0
    ),
    Objective(
        metric="energy_nj",
        goal="min",
        reference=500.0,
        scale="log",
        floor=0.01,
        unit="nJ",
    ),
    Objective(metric="latency_steps", goal="min", reference=32.0),
)
OPTIONS = ["lif", "plif", "if"]


def sample(trials=60, objectives=2, *, seed=0, name="runs/sample", options=OPTIONS):
    """A study: every fifth trial silent, one diverged, one pending."""
    rng = np.random.default_rng(seed)
    width = np.round(2 ** rng.uniform(3, 8, trials))
    threshold = rng.uniform(0.1, 2.0, trials)
    metrics = _metrics(rng, width, threshold)
    wanted = OBJECTIVES[:objectives]
    status = np.full(trials, "dominated", dtype=object)
    status[4::5] = "silent"
    status[[1, trials - 1]] = "failed", "pending"
    observed = np.flatnonzero(status == "dominated")
    losses = np.array(
        [[o.loss(metrics[o.metric][k]) for o in wanted] for k in observed]
    )
    on_front = observed[non_dominated(losses)]
    status[on_front] = "front"
    front = sorted(
        on_front.tolist(), key=lambda k: wanted[0].loss(metrics["accuracy"][k])
    )
    return {
        **_header(name, seed, status, wanted, options),
        "trials": _trials(rng, status, metrics, (width, threshold), options),
        "front": front,
        "hypervolume": None,
        "pooled": None,
        "confirmed": _confirmed(front[:2], metrics, wanted),
        "importance": _importance(wanted),
        "models": _models(wanted, threshold, options),
        "networks": {str(front[0]): _network()},
        "timeline": _timeline(trials),
        "failures": [
            {
                "kind": "diverged",
                "count": 1,
                "final": 1,
                "trials": [
                    {
                        "number": 1,
                        "attempt": 1,
                        "message": "loss is NaN",
                        "log": "trials/000001/1/log.txt",
                        "final": True,
                    }
                ],
            }
        ],
        "config_yaml": "seed: 0\ntask:\n  epochs: 3\n",
        "reproduce": ["python -m moosnn +experiment=nas seed=0"],
        "versions": {"moosnn": "0.1.0"},
    }


def page_of(*studies, groups=()):
    return {"moosnn": "0.1.0", "studies": list(studies), "groups": list(groups)}


def losses_of(study):
    """The losses of what is feasible, in the order of ending: the oracle's input."""
    trials = study["trials"]
    wanted = OBJECTIVES[: len(study["objectives"])]
    rows = [k for k, s in enumerate(trials["status"]) if s in ("front", "dominated")]
    rows.sort(key=lambda k: trials["ended"][k])
    return np.array(
        [[o.loss(trials["metrics"][o.metric][k]) for o in wanted] for k in rows]
    )


def _metrics(rng, width, threshold):
    noise = rng.normal(0, 0.02, len(width))
    quiet = width / threshold
    return {
        "accuracy": 0.95 - 0.4 * np.exp(-quiet / 60) + noise,
        "spikes_per_sample": quiet * rng.uniform(0.5, 2, len(width)),
        "energy_nj": width * rng.uniform(0.05, 3, len(width)),
        "latency_steps": rng.integers(1, 20, len(width)).astype(float),
        "silence_margin": threshold - 1.6,
    }


def _header(name, seed, status, wanted, options):
    trials = len(status)
    counts = {kind: int((status == kind).sum()) for kind in set(status)}
    done = trials - counts["pending"]
    return {
        "name": name,
        "label": name,
        "optimizer": "ehvi",
        "seed": seed,
        "finished": True,
        "budget": trials,
        "counts": {
            "ended": done,
            "feasible": counts.get("front", 0) + counts.get("dominated", 0),
            **{"infeasible": 0, "pruned": 0, **counts},
        },
        "objectives": [
            {
                "metric": o.metric,
                "goal": o.goal,
                "reference": o.reference,
                "scale": o.scale,
                "floor": o.floor if o.scale == "log" else None,
                "unit": o.unit,
                "label": o.metric.replace("_", " "),
            }
            for o in wanted
        ],
        "constraints": [
            {
                "metric": "silence_margin",
                "upper": 0.0,
                "unit": "",
                "voids": True,
                "label": "silence margin",
            }
        ],
        "parameters": [
            _parameter("width", "int", log=True, low=8, high=256),
            _parameter("threshold", "float", low=0.1, high=2.0),
            _parameter("neuron", "choice", options=options),
        ],
    }


def _parameter(name, kind, *, log=False, low=None, high=None, options=None):
    return {
        "name": name,
        "kind": kind,
        "log": log,
        "low": low,
        "high": high,
        "options": options,
        "when": None,
    }


def _trials(rng, status, metrics, point, options):
    width, threshold = point
    count = len(status)
    known = ~np.isin(status, ["failed", "pending"])
    ended = np.arange(1, count + 1)

    def kept(values, mask):
        pairs = zip(values, mask, strict=True)
        return [round(float(v), 9) if keep else None for v, keep in pairs]

    columns = {name: kept(values, known) for name, values in metrics.items()}
    for k in np.flatnonzero(status == "silent")[::2]:
        columns["accuracy"][k] = None
    return {
        "number": list(range(count)),
        "status": status.tolist(),
        "ended": [
            int(n) if s != "pending" else None
            for n, s in zip(ended, status, strict=True)
        ],
        "params": {
            "width": [int(w) for w in width],
            "threshold": [round(float(t), 6) for t in threshold],
            "neuron": [options[k] for k in rng.integers(0, len(options), count)],
        },
        "metrics": columns,
        "sems": {"accuracy": [0.01] * count},
        "submitted_s": [float(k) for k in range(count)],
        "ended_s": [
            float(k + 1) if s != "pending" else None for k, s in enumerate(status)
        ],
        "worker": [f"w{k % 2}" for k in range(count)],
        "attempts": [1] * count,
        "seconds": kept(np.full(count, 1.5), known),
        "origin": ["sobol"] * 10 + ["ehvi"] * (count - 10),
        "stopped": ["silent" if s == "silent" else None for s in status],
        "failure": ["diverged" if s == "failed" else None for s in status],
        "repeats": None,
    }


def _confirmed(numbers, metrics, wanted):
    return {
        str(n): {
            **{
                o.metric: [float(metrics[o.metric][n]) * f for f in (0.98, 1, 0.99)]
                for o in wanted
            },
            "beyond": 1,
            "of": 4,
        }
        for n in numbers
    }


def _importance(wanted):
    def target(name, kind, score_name):
        return {
            "target": name,
            "kind": kind,
            "trials": 40,
            "score": 0.8,
            "score_name": score_name,
            "parameters": [
                {"name": "width", "mean": 0.4, "sd": 0.05},
                {"name": "threshold", "mean": 0.2, "sd": 0.02},
            ],
        }

    found = [target(o.metric, "objective", "R² out of fold") for o in wanted]
    found.append(target("silent", "silence", "ROC AUC out of fold"))
    return {"note": "Permutation importance.", "targets": found}


def _models(wanted, threshold, options):
    x = np.linspace(0.1, 2.0, 25)
    y = np.geomspace(8, 256, 12)
    silent = 1 / (1 + np.exp(-4 * (x - 1.4)))
    targets = [
        {
            "target": o.metric,
            "kind": "objective",
            "unit": "",
            "log": False,
            "trials": 40,
        }
        for o in wanted
    ]
    targets.append({"target": "P(silent)", "kind": "probability", "trials": 50})
    band = {
        "mean": (0.9 - 0.1 * x).tolist(),
        "low": (0.85 - 0.1 * x).tolist(),
        "high": (0.95 - 0.1 * x).tolist(),
    }
    bar = {
        "mean": [0.8] * len(options),
        "low": [0.7] * len(options),
        "high": [0.9] * len(options),
    }
    flat = {"mean": [0.2] * len(options)}
    grid = np.outer(np.log(y), 1 / x)
    return {
        "around": 0,
        "trials": 40,
        "note": "Gaussian processes.",
        "targets": targets,
        "slices": [
            {
                "parameter": "threshold",
                "x": x.tolist(),
                "values": [band] * len(wanted) + [{"mean": silent.tolist()}],
            },
            {
                "parameter": "neuron",
                "x": options,
                "values": [bar] * len(wanted) + [flat],
            },
        ],
        "maps": [
            {
                "x_parameter": "threshold",
                "y_parameter": "width",
                "x": x.tolist(),
                "y": y.tolist(),
                "values": [grid.tolist()] * len(wanted)
                + [np.tile(silent, (len(y), 1)).tolist()],
            }
        ],
    }


def _network():
    return {
        "stages": ["1", "2"],
        "neurons": [12, 8],
        "rates_per_step": [0.2, 0.05],
        "dead": [0.1, 0.0],
        "silent": [0.0, 0.02],
        "raster": {
            "steps": 4,
            "sample": 0,
            "class": 7,
            "answer": 7,
            "stages": [
                {"name": "1", "neurons": 12, "t": [0, 1, 1, 3], "i": [2, 2, 7, 11]},
                {"name": "2", "neurons": 8, "t": [2], "i": [5]},
            ],
        },
    }


def _timeline(trials):
    spans = [
        [float(k), k + 0.9, k, "lost" if k == 3 else "trial"] for k in range(trials)
    ]
    return {
        "workers": [
            {"name": "w0", "spans": spans[::2]},
            {"name": "w1", "spans": spans[1::2]},
        ],
        "from_s": 0.0,
        "to_s": float(trials),
        "utilisation": 0.9,
        "trained_s": 54.0,
        "saved_s": 4.0,
        "saved_note": "by early stopping on silence",
    }
