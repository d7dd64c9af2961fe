"""The folder of a study in which everything happens that can; its front is by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moosnn.runtime.journal import NAME
from moosnn.runtime.record import Record, read_record

SPACE = {
    "depth": {"int": [1, 7], "step": 2},
    "width": {"int": [8, 256], "log": True},
    "lr": {"float": [0.001, 1.0], "log": True},
    "drop": {"float": [0.0, 0.5], "step": 0.1},
    "neuron": {"choice": ["if", "lif"]},
    "skip": {"choice": [False, True]},
    "tau": {"float": [1.0, 9.0], "when": {"neuron": "lif"}},
}
PROBLEM = {
    "objectives": [
        {"metric": "accuracy", "goal": "max", "reference": 0.1},
        {
            "metric": "spikes",
            "goal": "min",
            "reference": 100.0,
            "scale": "log",
            "floor": 0.01,
        },
    ],
    "constraints": [
        {"metric": "margin", "upper": 0.0, "voids": True},
        {"metric": "energy", "upper": 5.0},
    ],
    "admissible": None,
}
FIXED = {"batch": 64}
# Nothing that these name exists: whoever builds them fails.
CONFIG = {
    "task": {"_target_": "no.such.Task", "fixed": FIXED},
    "space": SPACE,
    "problem": PROBLEM,
    "optimizer": {"_target_": "no.such.Optimizer"},
    "seed": 7,
}
FRONT = (0, 2, 12)  # by number
STANDINGS = {
    0: "front",
    1: "dominated",
    2: "front",
    3: "infeasible",
    4: "silent",
    5: "silent",
    6: "pruned",
    7: "failed",
    8: "front",  # measures the point of 2 again
    9: "pending",
    10: "pending",
    11: "dominated",  # by 12: below the floor fewer spikes are no better
    12: "front",
}
BEGUN_S, STEP_S = 1.7e9, 10.0  # trial n is proposed BEGUN_S + n STEP_S after 1970


def point(number: int) -> dict[str, Any]:
    """The canonical point of a trial; 8 repeats 2."""
    first = 2 if number == 8 else number
    lif = first % 2 == 1
    return {
        "depth": 1 + 2 * (first % 4),
        "width": 8 + first,
        "lr": 0.001 * (first + 1),
        "drop": 0.1 * (first % 3),
        "neuron": "lif" if lif else "if",
        "skip": first % 2 == 0,
        "tau": 1.5 + first / 4 if lif else 5.0,
    }


def measured(accuracy: float, spikes: float, **more: float) -> dict[str, float]:
    return {
        "accuracy": accuracy,
        "spikes": spikes,
        "margin": -1.0,
        "energy": 2.0,
        "loss": 1.0 - accuracy,
        **more,
    }


ENDS: dict[int, dict[str, Any]] = {
    0: {"metrics": measured(0.9, 50.0), "sems": {"accuracy": 0.01}, "seconds": 3.5},
    1: {"metrics": measured(0.8, 60.0)},
    2: {"metrics": measured(0.7, 20.0)},
    3: {"metrics": measured(0.99, 1.0, energy=9.0)},
    4: {"metrics": measured(0.1, 0.0, margin=0.5)},
    5: {"metrics": {"margin": 2.0, "energy": 0.0, "spikes": 0.0}, "stopped": "silent"},
    6: {"metrics": measured(0.95, 2.0), "stopped": "pruned"},
    8: {"metrics": measured(0.5, 30.0)},
    11: {"metrics": measured(0.2, 0.002)},
    12: {"metrics": measured(0.3, 0.009)},
}
POINT_2 = (0.6, 25.0)  # the means of trials 2 and 8


def _lines_of(number: int) -> list[dict[str, Any]]:
    """What happened to a trial."""
    repeats = 2 if number == 8 else None
    proposed = {"params": point(number), "seed": 100 + number, "origin": "sobol"}
    lines: list[dict[str, Any]] = [
        {"event": "proposed", **proposed, "seen": 1, "repeats": repeats}
    ]
    if number != 10:  # which still waits
        lines.append({"event": "submitted", "attempt": 1, "job_id": "w0"})
    attempt = 1
    if number == 1:  # lost once, having reported
        attempt = 2
        lost = {"kind": "lost", "message": "gone", "log": None}
        lines += [
            _reported(1, 1, 0.5),
            {"event": "retried", "attempt": 1, "failure": lost},
            {"event": "submitted", "attempt": 2, "job_id": "w1"},
            _reported(2, 1, 0.3),
            _reported(2, 2, 0.6),
        ]
    if number == 7:
        failure = {"kind": "diverged", "message": "loss is nan", "log": "a.log"}
        lines.append({"event": "failed", "attempt": 1, "failure": failure})
    if number in ENDS:
        evaluation = {"seconds": 1.0, "device": "cpu", **ENDS[number]}
        lines.append(
            {"event": "finished", "attempt": attempt, "evaluation": evaluation}
        )
    times = [BEGUN_S + number * STEP_S + k for k in range(len(lines))]
    return [
        {**line, "number": number, "time": time}
        for line, time in zip(lines, times, strict=True)
    ]


def _reported(attempt: int, step: int, accuracy: float) -> dict[str, Any]:
    metrics = {"train_accuracy": accuracy, "train_loss": 1.0}
    return {"event": "reported", "attempt": attempt, "step": step, "metrics": metrics}


def _confirmed() -> list[dict[str, Any]]:
    """Two retrainings of trial 0 that were tested, and one that failed."""
    base = {"event": "confirmed", "number": 0, "attempt": 2, "time": BEGUN_S + 500.0}
    tests = [
        {"evaluation": {"metrics": measured(0.8, 40.0), "seconds": 1.0}},
        {"evaluation": {"metrics": measured(0.6, 60.0, margin=1.0), "seconds": 1.0}},
        {"failure": {"kind": "diverged", "message": "nan", "log": None}},
    ]
    return [{**base, "replicate": k, **test} for k, test in enumerate(tests)]


def told_study(folder: Path) -> Record:
    """Write the study's folder, and read it."""
    lines: list[dict[str, Any]] = [
        {"event": "study", "config": CONFIG, "digest": "d", "versions": {"torch": "2"}}
    ]
    for number in STANDINGS:
        lines += _lines_of(number)
    lines += _confirmed()
    base = {"number": None, "attempt": None, "time": BEGUN_S, "epoch": 1}
    folder.mkdir(parents=True)
    text = "".join(json.dumps({**base, **line}) + "\n" for line in lines)
    (folder / NAME).write_text(text)
    return read_record(folder)
