"""When workers wait for suggestions, and what is suggested then.

Knows: what the journal says of the time that suggestions and trials took. Must not
know: clocks, acquisition functions.

One suggestion at a time keeps at most ``mean seconds of a trial / seconds of a
suggestion`` workers at work. Where that is too few, the best point of one joint draw
from the models, found among candidates without any climbing, takes the place of a
suggestion that is searched for: many workers are then given different draws of what is
known, each as likely the best as the models say (Thompson sampling). As soon as the
suggestions are fast enough for all workers again, the next one is a careful one. A few
workers rather wait: a trial of a careful search is worth more than one of a hurried
one, and it is only with many that whole GPUs stand still.

Both times are recorded in the journal, so a replay comes to the same answer.
"""

from __future__ import annotations

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.models import Answer, Question, feasible_trials
from moosnn.optimizers.outcomes import features_of
from moosnn.optimizers.posterior import Surrogates
from moosnn.optimizers.search import candidates
from moosnn.optimizers.thompson import drawn_order

ORIGIN = "drawn"

_CROWD = 16  # trials that ran at once; fewer workers are waited for
_LATELY = 128  # events in which so many did
_LARGEST_LOAD = 0.7  # of the time between two trials' ends; the rest is for chance
_SUGGESTIONS = 8  # the last ones: their mean tells how long one takes
_TRIALS = 32  # the last ones: their mean tells how long one takes
_ENDS = (Kind.FINISHED, Kind.FAILED, Kind.RETRIED)
_CANDIDATES = 512  # a power of two; as many and a quarter again vary good points


def is_hurried(history: History) -> bool:
    """Whether careful suggestions would keep many workers waiting.

    Only workers that were given a trial can wait: nobody does in an ask-and-tell loop,
    nor without times in the history.
    """
    ended = [t.evaluation.seconds for t in history.done[-_TRIALS:] if t.evaluation]
    workers = _most_at_once(history)
    if workers < _CROWD or not ended:
        return False
    took = _last_suggestions(history)
    if len(took) < _SUGGESTIONS:
        return False
    between_s = sum(ended) / len(ended) / workers
    return sum(took) / len(took) > _LARGEST_LOAD * between_s > 0


def _most_at_once(history: History) -> int:
    """How many trials ran at once lately, at most: as many workers there are.

    Those that run now are fewer the longer the others wait.
    """
    now = most = sum(trial.job_id is not None for trial in history.pending)
    for position in range(len(history) - 1, max(len(history) - _LATELY, 0) - 1, -1):
        event = history[position]
        if event.kind is Kind.SUBMITTED:
            now -= 1
        elif event.kind in _ENDS:
            assert event.number is not None
            # What was only asked for, and told, never was with a worker.
            now += history.trial(event.number).job_id is not None
        most = max(most, now)
    return most


def _last_suggestions(history: History) -> list[float]:
    """Seconds of the last suggestions, as far as they were recorded."""
    took: list[float] = []
    for position in range(len(history) - 1, -1, -1):
        event = history[position]
        if event.kind is Kind.PROPOSED:
            if "seconds" not in event.data:
                break
            took.append(float(event.data["seconds"]))
            if len(took) == _SUGGESTIONS:
                break
    return took


def drawn_answer(question: Question, surrogates: Surrogates) -> Answer:
    """The best fresh candidate in one draw of all outcomes."""
    cube = question.cube
    good = feasible_trials(question.problem, question.history)
    bases = cube.encoded([trial.proposal.params for trial in good])
    points, active = cube.snapped(candidates(cube, bases, question.rng, _CANDIDATES))
    order = drawn_order(
        surrogates,
        cube.features(points, active),
        features_of(good, cube),
        question.awaited,
        question.rng,
    )
    for row in order.tolist():
        params = cube.decoded(points[row])
        if question.fresh(params):
            return params, ORIGIN
    return None, "fallback"
