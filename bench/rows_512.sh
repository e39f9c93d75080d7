# Sourced by the scripts of this folder. long_rows N FILE: N rows of text that are cut to 512 tokens each.
long_rows() {
    python3 - "$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/jobs/data/tickets_train.jsonl" "$1" "$2" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[3], "w") as out:
    for i in range(int(sys.argv[2])):
        picked = [rows[(i * 30 + k) % len(rows)] for k in range(30)]
        out.write(json.dumps({"text": " ".join(r["prompt"][1]["content"] + " " + r["completion"][0]["content"] for r in picked)}) + "\n")
PYTHON
}
# field RUN_DIRECTORY NAME: a figure of the record's performance.
field() { python3 -c "import json,sys; print(json.load(open(sys.argv[1] + '/run.json'))['performance'][sys.argv[2]])" "$1" "$2"; }
median() { python3 -c "import statistics,sys; print(statistics.median(map(float, sys.argv[1:])))" "$@"; }
