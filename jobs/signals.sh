# For scripts whose work is another program: a shell that waits for it in the foreground would answer a signal only after it, or die and leave it alone.

signalled=  # not empty once somebody wants the work to stop
forwarded_to=

# forwarding COMMAND...: runs it and returns its exit code. A signal that comes meanwhile reaches it as USR1, on which temper saves and ends with 75,
# and which mpirun hands to every rank.
forwarding() {
    local code=127 status
    "$@" &
    forwarded_to=$!
    [ -z "$signalled" ] || kill -USR1 "$forwarded_to" 2>/dev/null  # it came as the program started
    while :; do
        interrupted=0 status=0
        wait "$forwarded_to" || status=$?
        [ "$status" -eq 127 ] || code=$status  # 127: told already
        # A trapped signal ends `wait` early with a status above 128; the program's own comes from the next one.
        [ "$interrupted" -eq 1 ] || break
    done
    forwarded_to=
    return "$code"
}

hand_on() {
    interrupted=1 signalled=1
    [ -z "$forwarded_to" ] || kill -USR1 "$forwarded_to" 2>/dev/null
}
trap hand_on USR1 TERM INT

# end_job CODE: of a Slurm job; saved work is requeued, by Slurm where RequeueExit has 75, else by asking for it. So is work that the signal met before
# the program listened (128 + USR1): there was nothing to save.
end_job() {
    if [ "$1" -eq 75 ] || { [ -n "$signalled" ] && [ "$1" -eq 138 ]; }; then
        if [ "$1" -eq 75 ] && scontrol show config 2>/dev/null | grep -Eq '^RequeueExit +=.*\b75\b'; then
            echo "saved; Slurm requeues on exit 75"
        elif scontrol requeue "$SLURM_JOB_ID"; then
            echo "saved; requeued"
        else
            echo "saved; the requeue was refused: submit the job again to go on" >&2
        fi
    fi
    exit "$1"
}
