"""Our optimizers against those of other libraries: hypervolume, seconds, memory.

    python -m tests.bench.optimizers run --problems all --optimizers ehvi --seeds 0-9
    python -m tests.bench.optimizers run --problems unseen --optimizers ehvi --seeds 0-2
    python -m tests.bench.optimizers table --page docs/optimizers.md
    python -m tests.bench.optimizers speed
    python -m tests.bench.optimizers speed --without-greenlet
    python -m tests.bench.optimizers speed --at 1000 --name speed-1000.json
    python -m tests.bench.optimizers workers --optimizers ehvi
    python -m tests.bench.optimizers memory

``run`` and ``workers`` write a file of JSON lines a (problem, optimizer, seed) to
``tests/bench/results/optimizers``: a header with versions and machine, then a line a
trial. What is complete is skipped, so the same line continues after an interruption.
Delete a file to have it made again.

The peers need an environment of their own, in which ours are installed as well::

    python -m venv peers
    peers/bin/pip install -c constraints.txt "optuna==5.0.0" "ax-platform==1.3.1"
    peers/bin/pip install -c constraints.txt -e .     # or PYTHONPATH=.
    OMP_NUM_THREADS=1 peers/bin/python -m tests.bench.optimizers run \\
        --problems formulas --optimizers optuna-gp optuna-tpe ax --seeds 0-9

The constraints need no change for them: torch 2.13.0 and BoTorch 0.18.1 are what Ax
1.3.1 takes.

What every optimizer is told, and what it is not:

- The objectives are losses, minimised; a log axis is a log10 for everybody.
- The reference point is told to Ax (objective thresholds) and to ours; Optuna and pymoo
  have no place for it.
- That a formula has no noise is told to Optuna's GP (``deterministic_objective``), to
  Ax (standard error 0) and to ours (``noise_share=0.0003``). With seed 0, Ax without
  standard errors had 585.0 for 571.6 on ``branin_currin`` at 40 trials, and 0.130 for
  0.221 on ``c2dtlz2_12_shifted``.
- Conditions: Optuna's are Python's ``if`` (TPE with ``group=True``; its GP draws
  conditional parameters at random). Ax's ``dependent_parameters`` are a tree of single
  values: ``gate``, which exists from 3 blocks on, exists there whenever ``blocks``
  does, and of the digits' space only what belongs to the fourth layer depends on the
  depth. pymoo searches all parameters. Equal points are made one, for everybody.
- A silent network has no objectives. Ax gets its constraint alone and uses it; Optuna
  and pymoo, which cannot, get the reference as objectives beside the violation.
- A diverged training is a failed trial in Optuna and Ax, and in pymoo a violation as
  large as the worst so far.
- The populations of all NSGA-II have 20 members, since 80 trials are few.
"""
