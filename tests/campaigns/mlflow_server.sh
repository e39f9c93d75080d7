# Shared by the campaigns against MLflow itself: $python, which has mlflow 3.17.2 and is made under ${TEMPER_CACHE:-~/.cache/temper} unless ${MLFLOW_PYTHON}
# names another; $work, a folder for the campaign; a server on loopback, which MLFLOW_TRACKING_URI names.
python=${MLFLOW_PYTHON:-${TEMPER_CACHE:-$HOME/.cache/temper}/mlflow/bin/python}
if [ ! -x "$python" ]; then
    python3 -m venv "$(dirname "$(dirname "$python")")"
    "$python" -m pip install --quiet mlflow==3.17.2
fi
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -- "-$server" 2>/dev/null; rm -rf "$work"' EXIT
unset "${!MLFLOW_@}"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export MLFLOW_TRACKING_URI=http://127.0.0.1:$port

start_server() {  # again on the same port after stop_server, with what it had
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false setsid "$python" -m mlflow server --host 127.0.0.1 --port "$port" --workers 1 --backend-store-uri "sqlite:///$work/mlflow.db" \
        --artifacts-destination "$work/artifacts" >>"$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 240); do curl -fs "http://127.0.0.1:$port/health" >/dev/null && return; sleep 1; done
    tail "$work/server.log"
    exit 1
}
stop_server() { kill -KILL -- "-$server"; wait "$server" 2>/dev/null || true; }
