#!/usr/bin/env bash
# The driver of a study as a Slurm job that goes on by itself: after preemption, at its
# time limit and after a node failure it is requeued, and the same command continues.
#
#   launchers/slurm_driver.sh +experiment=nas executor=slurm executor.workers=64
#   launchers/slurm_driver.sh --partition=long --time=2-0 -- +experiment=nas executor=slurm
#
# Words before -- are sbatch's, the others those of python -m moosnn; prints the job's id.
# Output: moosnn-JOBID.out here. `scancel JOBID` ends it for good, and leaves its workers
# to the next driver.
#
# PYTHON  the interpreter (default python), at the same place on every node
set -euo pipefail

# Enough for a driver that is within a suggestion, and for Slurm, which may warn up to
# 60 s early but not late.
readonly warning_s=120
# How long a driver that could not say goodbye counts as alive (STALE_S of its lease).
readonly lease_s=60

submit() {
    local word options=() words=()
    for word in "$@"; do
        if [ "$word" = -- ] && [ ${#options[@]} = 0 ]; then
            options=("${words[@]}")
            words=()
        else
            words+=("$word")
        fi
    done
    if [ ${#words[@]} = 0 ]; then
        echo "slurm_driver: expected words of python -m moosnn, e.g. +experiment=nas" >&2
        exit 2
    fi
    # To the shell alone (B:), or the driver could not tell it from scancel.
    exec sbatch --parsable --job-name=moosnn --output=moosnn-%j.out --open-mode=append \
        --requeue --signal=B:USR1@$warning_s "${options[@]}" "$0" --as-job "${words[@]}"
}

# What this job was given is not for the jobs that the driver submits: srun refuses some
# of it beside their own.
forget_job() {
    local name
    for name in "${!SLURM_@}"; do
        [ "$name" = SLURM_CONF ] || unset "$name"
    done
}

# drive WORD…: until the driver ends; sets $code.
drive() {
    "${PYTHON:-python}" -m moosnn "$@" &
    driver=$!
    while :; do # a signal ends a wait
        code=0
        wait "$driver" || code=$?
        kill -0 "$driver" 2>/dev/null || break
    done
}

end_driver() {
    [ -z "$driver" ] || kill -TERM "$driver" 2>/dev/null || :
}

run() {
    local job=$SLURM_JOB_ID restarts=${SLURM_RESTART_COUNT:-0} warned=no driver="" code
    trap 'warned=yes; end_driver' USR1
    trap end_driver TERM # what comes next, Slurm has decided
    forget_job
    drive "$@"
    if [ "$code" = 2 ] && [ "$restarts" -gt 0 ]; then
        # After a dead node the driver of before may seem to live.
        sleep $lease_s
        drive "$@"
    fi
    if [ $warned = yes ] && [ "$code" -gt 128 ]; then
        scontrol requeue "$job"
    fi
    exit "$code"
}

if [ "${1:-}" = --as-job ]; then
    shift
    run "$@"
else
    submit "$@"
fi
