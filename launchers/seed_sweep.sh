#!/usr/bin/env bash
# Studies that differ in their seed, side by side: each a Slurm job with workers of its
# own on its node. The same line again continues what did not end.
#
#   launchers/seed_sweep.sh +experiment=nas
#   launchers/seed_sweep.sh +experiment=nas seed=0,1 optimizer=ehvi,nsga2 \
#       hydra.launcher.cpus_per_task=8 hydra.launcher.partition=main
#
# Then: python -m moosnn report runs/sweep-nas. What a study prints is in
# runs/sweep-nas/.submitit/. Of python -m moosnn and Hydra's submitit launcher (partition,
# account, qos, gpus_per_node, mem_gb, timeout_min, array_parallelism …) every word may
# be given; the ones below are only where none was.
#
# PYTHON  the interpreter (default python), at the same place on every node
set -euo pipefail

words=("$@")

# unless_given KEY=VALUE
unless_given() {
    local word
    for word in "${words[@]}"; do
        [ "${word%%=*}" != "${1%%=*}" ] || return 0
    done
    words+=("$1")
}

unless_given +experiment=nas
unless_given seed=0,1,2,3,4
unless_given hydra.launcher.name=moosnn
unless_given hydra.launcher.cpus_per_task=4
unless_given hydra.launcher.mem_gb=8
unless_given hydra.launcher.timeout_min=1440
# Longer than a node needs to end a trial and its study.
unless_given hydra.launcher.signal_delay_s=120
exec "${PYTHON:-python}" -m moosnn -m hydra/launcher=submitit_slurm "${words[@]}"
