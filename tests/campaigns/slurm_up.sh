#!/usr/bin/env bash
# A private Slurm of N virtual nodes on this host for tests: own ports, keys and state under DIR, no systemd, no cgroups.
# Usage: slurm_up.sh DIR [N]; then `. DIR/env`; slurm_down.sh DIR ends it. Needs the packages slurm-wlm and munge, and root.
set -euo pipefail
dir=$(realpath -m "${1:?usage: slurm_up.sh DIR [N]}")
nodes=${2:-2}
port=${SLURM_TEST_PORT:-26817}
host=$(hostname -s)
mkdir -p "$dir"/{state,spool,log}
head -c 128 /dev/urandom >"$dir/munge.key"
chmod 600 "$dir/munge.key"
{
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock,cred_expire=5
CredType=cred/munge
CryptoType=crypto/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=600
RequeueExit=75
CONF
    for node in $(seq 1 "$nodes"); do
        echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + node)) CPUs=$(nproc) RealMemory=4096 State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4"
} >"$dir/slurm.conf"
echo "export SLURM_CONF=$dir/slurm.conf" >"$dir/env"
export SLURM_CONF=$dir/slurm.conf
munged --force --key-file="$dir/munge.key" --socket="$dir/munge.sock" --pid-file="$dir/munged.pid" --log-file="$dir/log/munged.log" \
    --seed-file="$dir/munge.seed" --num-threads=1
slurmctld -c -f "$dir/slurm.conf"
for node in $(seq 1 "$nodes"); do slurmd -f "$dir/slurm.conf" -N "n$node"; done
for _ in $(seq 1 50); do
    if [ "$(sinfo -h -o '%t' | sort -u)" = idle ]; then
        sinfo
        exit 0
    fi
    sleep 0.2
done
echo "slurm did not come up" >&2
tail -n 20 "$dir"/log/*.log >&2
exit 1
