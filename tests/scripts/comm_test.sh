#!/usr/bin/env bash
# Ranks over MPI: exchanges on 1 to 4 ranks, and what happens when one of them dies or hangs. Usage: comm_test.sh PATH_OF_TEMPER
set -u
build=$(dirname "$1")
program=$build/tests/comm_program
command -v mpirun >/dev/null && [ -x "$program" ] || { echo "comm_test: no mpirun or no comm_program: skipped"; exit 77; }
"$1" --version | grep -q '^MPI *none' && { echo "comm_test: this build has no MPI: skipped"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failures=0
fail() { echo "comm_test: $*"; sed 's/^/    /' "$log"; failures=$((failures + 1)); }

# expect NAME CODE SECONDS COMMAND...: the exit code ("any" is any but 0) within that time
expect() {
  local name=$1 want=$2 limit=$3 begin=$SECONDS code
  shift 3
  timeout -k 5 "$((limit + 20))" "$@" >"$log" 2>&1
  code=$?
  local took=$((SECONDS - begin))
  if [ "$want" = any ]; then [ "$code" -ne 0 ] || fail "$name: exit 0, expected another"; else
    [ "$code" -eq "$want" ] || fail "$name: exit $code, expected $want"; fi
  [ "$took" -le "$limit" ] || fail "$name: took $took s, expected at most $limit"
  echo "comm_test: $name: exit $code in $took s"
}

expect "world of one, no launcher" 0 5 "$program" exchange
for n in 1 2 3 4; do
  expect "exchange on $n ranks" 0 30 mpirun --oversubscribe -n "$n" "$program" exchange
  grep -q . "$log" && fail "exchange on $n ranks: printed something"
done
expect "a message longer than a chunk" 0 30 mpirun --oversubscribe -n 2 "$program" large
expect "an error on one rank ends all with its code" 65 15 mpirun --oversubscribe -n 3 "$program" error
expect "every rank returns 75" 75 15 mpirun --oversubscribe -n 3 "$program" requeue
expect "a rank killed by SIGKILL" any 15 mpirun --oversubscribe -n 3 "$program" kill 5
expect "a stopped rank is named after 2 s" 76 15 mpirun --oversubscribe -n 3 "$program" stop 2
grep -q "for rank 2" "$log" || fail "a stopped rank: the message does not name rank 2"
expect "rank 0 works for longer than a peer waits, and says so" 0 15 mpirun --oversubscribe -n 3 "$program" alive 2
expect "rank 0 works for longer than a peer waits, in silence" 76 15 mpirun --oversubscribe -n 3 "$program" silent 2
pgrep -f "$program stop" >/dev/null && fail "a stopped rank: processes are left"

# Slurm's environment without a launcher that joins the tasks; a batch script runs once and is no task.
expect "Slurm tasks that see a world of one" 2 5 env SLURM_NTASKS=4 SLURM_STEP_ID=0 SLURM_PROCID=0 "$program" exchange
grep -q "srun --mpi=pmix" "$log" || fail "Slurm tasks: the message does not say what to do"
expect "second Slurm task" 2 5 env SLURM_NTASKS=2 SLURM_PROCID=1 "$program" exchange
expect "batch script of a job of 4 tasks" 0 5 env SLURM_NTASKS=4 SLURM_PROCID=0 "$program" exchange
expect "a step of one task" 0 5 env SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_ID=0 SLURM_PROCID=0 "$program" exchange
exit "$((failures > 0))"
