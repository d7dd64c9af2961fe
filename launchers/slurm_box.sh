#!/usr/bin/env bash
# A real Slurm on this machine, for tests and to try moosnn out. As root, on Debian 12:
#
#   launchers/slurm_box.sh up                install what is missing, start, wait till ready
#   eval "$(launchers/slurm_box.sh env)"     sbatch, sacct and moosnn use it from here on
#   launchers/slurm_box.sh status            what lives; exit code 3 if not everything does
#   launchers/slurm_box.sh node n1 down      dead at once, with every process on it
#   launchers/slurm_box.sh node n1 up        and back
#   launchers/slurm_box.sh controller down   slurmctld is away, jobs run on; and: up
#   launchers/slurm_box.sh down              end everything, jobs too, and forget it
#
# Two nodes n0 and n1 with 8 CPUs, 16 GB and 2 GPUs each, none of which need be there: a
# GPU is /dev/null, which shows who gets which one and computes nothing. Partition main
# (default) is preempted by partition high. A node is a name space of processes with a
# host name of its own where the kernel allows it, so programs take it for another
# machine; files are shared, as on a cluster.
#
# SLURM_BOX       folder of everything (default ${TMPDIR:-/tmp}/moosnn-slurm-box)
# SLURM_BOX_PORT  first of its 5 ports (default 27817), read by the first `up`
set -euo pipefail

readonly box=${SLURM_BOX:-${TMPDIR:-/tmp}/moosnn-slurm-box}
readonly conf=$box/etc/slurm.conf
readonly munge=$box/munge/socket
readonly nodes=(n0 n1)
readonly cpus=8 memory_mb=16000 gpus=2 # of a node
readonly packages=(slurmctld slurmd slurm-client slurmdbd mariadb-server munge)

fail() {
    echo "slurm_box: $*" >&2
    exit 1
}

# ---- processes -------------------------------------------------------------------------

# start NAME COMMAND…: in the background, in a session of its own.
start() {
    local name=$1
    shift
    setsid nohup "$@" >>"$box/log/$name.out" 2>&1 </dev/null &
    echo "$! $(birth $!)" >"$box/pid/$name"
}

# birth PID: when it started, in ticks since boot; fails if it is gone or a zombie. A zombie
# that has threads left is none yet: they hold its ports.
birth() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra stat <<<"${stat##*) }" # the command, in brackets, may hold blanks
    [ "${stat[0]}" != Z ] || [ "${stat[17]}" -gt 1 ] && echo "${stat[19]}"
}

# lives NAME: whether it runs; sets $pid. Another process may have its id by now.
lives() {
    local born
    read -r pid born 2>/dev/null <"$box/pid/$1" && [ "$(birth "$pid")" = "$born" ]
}

# stop NAME SECONDS: TERM, and KILL after so many seconds; 0: KILL at once.
stop() {
    lives "$1" || return 0
    if [ "$2" -gt 0 ]; then
        kill -TERM "$pid"
        ! wait_for "$2" gone "$1" || return 0
    fi
    kill -KILL "$pid"
    wait_for 10 gone "$1" || fail "$1 does not end"
}

gone() { ! lives "$1"; }

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# ready NAME SECONDS COMMAND…: wait for the command, or fail with the way to the logs.
ready() {
    local name=$1 seconds=$2
    shift 2
    { wait_for "$seconds" ready_or_dead "$name" "$@" && lives "$name"; } ||
        fail "$name does not work; see $box/log/$name.*"
}

ready_or_dead() {
    local name=$1
    shift
    ! lives "$name" || "$@"
}

# ---- nodes -----------------------------------------------------------------------------

start_node() {
    local slurmd=(env "SLURM_BOX_NODE=$box/$1" slurmd -D -f "$conf" -N "$1")
    if unshare --pid --fork --mount-proc --uts true 2>/dev/null; then
        # The shell is the name space's init: it takes in orphans, slurmd would not.
        # shellcheck disable=SC2016
        start "slurmd-$1" unshare --pid --fork --mount-proc --uts \
            bash -c 'hostname "$0"; "$@" & wait' "$1" "${slurmd[@]}"
    else
        start "slurmd-$1" "${slurmd[@]}"
    fi
}

# Power off: nobody on the node has a say.
kill_node() {
    local init=""
    if lives "slurmd-$1"; then
        # Of unshare, the one child is the init; with it the kernel ends all others.
        [ "$(cat "/proc/$pid/comm")" != unshare ] || read -r init <"/proc/$pid/task/$pid/children" || :
        kill -KILL "${init:-$pid}"
        wait_for 10 gone "slurmd-$1" || fail "$1 does not end"
    fi
    processes_of "$1" | xargs -r kill -KILL 2>/dev/null || :
}

# The processes of a node without a name space, by their environment: slurmd and
# slurmstepd have SLURM_BOX_NODE, jobs what Slurm gives them.
processes_of() {
    local file text
    for file in /proc/[0-9]*/environ; do
        text=$(tr '\0' '\n' 2>/dev/null <"$file") || continue
        text=$'\n'$text$'\n'
        if [[ $text == *$'\n'"SLURM_BOX_NODE=$box/$1"$'\n'* ]] ||
            [[ $text == *$'\n'"SLURMD_NODENAME=$1"$'\n'* && $text == *$'\n'"SLURM_CONF=$conf"$'\n'* ]]; then
            basename "${file%/environ}"
        fi
    done
}

# serves NODE: whether jobs can run on it.
serves() { sinfo -h -n "$1" -p main -t idle,mix,alloc -o %N | grep -qx "$1"; }

# ---- up and down -----------------------------------------------------------------------

install_packages() {
    local missing=() name policy=/usr/sbin/policy-rc.d
    for name in "${packages[@]}"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ -x "$(command -v apt-get)" ] || fail "needs apt-get, to install ${missing[*]}"
    if [ ! -e $policy ]; then # no package may start a daemon of its own
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        # shellcheck disable=SC2064
        trap "rm -f $policy" RETURN EXIT
    fi
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends "${missing[@]}"; } >"$box/log/apt.log" 2>&1 ||
        fail "apt-get cannot install ${missing[*]}; see $box/log/apt.log"
}

write_configuration() {
    local port=${SLURM_BOX_PORT:-27817} host node index=0 number
    host=$(hostname -s)
    for ((number = port; number < port + 5; number++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$number") 2>/dev/null; then
            fail "port $number is taken; set SLURM_BOX_PORT to the first of 5 free ones"
        fi
    done
    (umask 077 && head -c 1024 /dev/urandom >"$box/munge/key")
    cat >"$box/etc/slurmdbd.conf" <<END
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$munge
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 2))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
PidFile=$box/pid/slurmdbd.own
LogFile=$box/log/slurmdbd.log
END
    chmod 600 "$box/etc/slurmdbd.conf"
    printf 'CgroupAutomount=no\n' >"$box/etc/cgroup.conf"
    echo "AutoDetect=off" >"$box/etc/gres.conf"
    # FirstJobId: a job id that a study wrote down names no job of a later box; at most
    # 67043328.
    # cred_expire: also how long a requeued job waits (120 s by default).
    # CR_CPU_Memory, OverMemoryKill: a job over its --mem is killed, within seconds.
    # SlurmdTimeout, MessageTimeout: a dead node is known as one after some 20 s.
    # preempt_send_user_signal: what is preempted gets its --signal, GraceTime before.
    cat >"$conf.new" <<END
ClusterName=box
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$munge,cred_expire=5
StateSaveLocation=$box/state
SlurmdSpoolDir=$box/spool/%n
SlurmctldPidFile=$box/pid/slurmctld.own
SlurmdPidFile=$box/pid/slurmd-%n.own
SlurmctldLogFile=$box/log/slurmctld.log
SlurmdLogFile=$box/log/slurmd-%n.log
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=$((memory_mb / cpus / 2))
GresTypes=gpu
FirstJobId=$(($(date +%s) % 60000000))
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
MessageTimeout=5
SlurmdParameters=config_overrides
KillWait=10
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=2,bf_interval=2,bf_continue
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$((port + 1))
AccountingStoragePass=$munge
AccountingStorageTRES=gres/gpu
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE DefaultTime=5 State=UP
PartitionName=main Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high PriorityTier=10 PreemptMode=OFF
END
    for node in "${nodes[@]}"; do
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 3 + index++))" \
            "CPUs=$cpus RealMemory=$memory_mb Gres=gpu:$gpus" >>"$conf.new"
        for ((number = 0; number < gpus; number++)); do
            # A container may not make devices; a file does as well.
            mknod -m 666 "$box/dev/$node-gpu$number" c 1 3 2>/dev/null ||
                : >"$box/dev/$node-gpu$number"
            echo "NodeName=$node Name=gpu File=$box/dev/$node-gpu$number" >>"$box/etc/gres.conf"
        done
    done
    mv "$conf.new" "$conf"
}

start_munged() {
    lives munged && return
    start munged munged --foreground --force --socket="$munge" --num-threads=10 \
        --key-file="$box/munge/key" --seed-file="$box/munge/seed" \
        --pid-file="$box/munge/pid" --log-file="$box/log/munged.log"
    ready munged 10 munge -n -S "$munge"
}

start_database() {
    local sql=(mariadb --no-defaults -S "$box/mysql/socket") port
    lives mariadbd && return
    port=$(sed -n 's/^StoragePort=//p' "$box/etc/slurmdbd.conf")
    chown mysql: "$box/mysql"
    [ -d "$box/mysql/mysql" ] || mariadb-install-db --no-defaults --user=mysql \
        --datadir="$box/mysql" --auth-root-authentication-method=socket --skip-test-db \
        --skip-name-resolve >"$box/log/mariadbd.log" 2>&1 ||
        fail "cannot make a database; see $box/log/mariadbd.log"
    # What Slurm asks for, and no care for what a power cut would lose.
    start mariadbd mariadbd --no-defaults --user=mysql --datadir="$box/mysql" \
        --socket="$box/mysql/socket" --port="$port" --bind-address=127.0.0.1 \
        --skip-name-resolve --performance-schema=OFF --innodb-buffer-pool-size=64M \
        --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0
    ready mariadbd 30 "${sql[@]}" -e 'select 1'
    "${sql[@]}" -e "create database if not exists slurm;
        create user if not exists slurm@127.0.0.1 identified by 'slurm';
        grant all on slurm.* to slurm@127.0.0.1"
}

start_slurmdbd() {
    lives slurmdbd && return
    start slurmdbd slurmdbd -D
    ready slurmdbd 30 timeout 5 sacctmgr -n show cluster
    [ -n "$(sacctmgr -nP show cluster box)" ] || sacctmgr -i add cluster box >/dev/null
}

start_slurmctld() {
    lives slurmctld || start slurmctld slurmctld -D -f "$conf"
    ready slurmctld 20 sh -c 'timeout 5 scontrol ping | grep -q "is UP"'
}

# Where nothing else lies: `down` removes it.
claim_folder() {
    local umask_before
    umask_before=$(umask)
    umask 022
    mkdir -p "$box" 2>/dev/null || fail "$box: cannot be made; set SLURM_BOX"
    [ -e "$box/.slurm_box" ] || [ -z "$(ls -A "$box")" ] ||
        fail "$box: expected an empty folder; set SLURM_BOX to another one"
    touch "$box/.slurm_box"
    mkdir -p "$box"/{etc,log,pid,munge,state,spool,dev,mysql}
    umask "$umask_before"
}

up() {
    local node
    [ "$(id -u)" = 0 ] || fail "must be root"
    claim_folder
    install_packages
    [ -e "$conf" ] || write_configuration
    start_munged
    start_database
    start_slurmdbd
    start_slurmctld
    for node in "${nodes[@]}"; do
        lives "slurmd-$node" || start_node "$node"
    done
    for node in "${nodes[@]}"; do
        ready "slurmd-$node" 20 serves "$node"
    done
    echo "slurm_box: up; now: eval \"\$($0 env)\""
}

down() {
    local node name
    [ -e "$box/.slurm_box" ] || return 0
    for node in "${nodes[@]}"; do
        kill_node "$node"
    done
    # The state is thrown away: nobody needs to save it.
    for name in slurmctld slurmdbd mariadbd munged; do
        stop "$name" 0
    done
    rm -rf "$box"
}

require_box() { [ -e "$conf" ] || fail "not up; see $0 up"; }

status() {
    local name all=0
    require_box
    for name in munged mariadbd slurmdbd slurmctld "${nodes[@]/#/slurmd-}"; do
        if lives "$name"; then
            echo "$name: $pid"
        else
            echo "$name: does not run"
            all=3
        fi
    done
    timeout 5 sinfo -N -p main -o '%N %T %C %G' 2>/dev/null || all=3
    return $all
}

node() {
    require_box
    [[ " ${nodes[*]} " == *" $1 "* ]] || fail "node: expected ${nodes[*]}, got '$1'"
    case $2 in
        down) kill_node "$1" ;;
        up)
            if ! lives "slurmd-$1"; then
                # Back before it was missed: its jobs are gone, which Slurm would not see.
                scontrol update NodeName="$1" State=DOWN Reason="power off" || :
                start_node "$1"
            fi
            wait_for 2 serves "$1" || scontrol update NodeName="$1" State=RESUME 2>/dev/null || :
            ready "slurmd-$1" 20 serves "$1"
            ;;
        *) fail "node $1: expected down or up, got '$2'" ;;
    esac
}

controller() {
    require_box
    case $1 in
        down) stop slurmctld 10 ;;
        up) start_slurmctld ;;
        *) fail "controller: expected down or up, got '$1'" ;;
    esac
}

export SLURM_CONF=$conf
case "${1:-}:$#" in
    up:1 | down:1 | status:1) "$1" ;;
    env:1) require_box && printf 'export SLURM_BOX=%q SLURM_CONF=%q\n' "$box" "$conf" ;;
    node:3 | controller:2) "$@" ;;
    *) fail "expected up, down, status, env, node NAME down|up or controller down|up" ;;
esac
