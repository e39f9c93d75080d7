# Sourced by the scripts of this folder. token_pairs N PROMPT ANSWER FILE: N pairs of random ids, two answers of ANSWER tokens behind a prompt of
# PROMPT tokens; labelled_rows the same with one labelled answer.
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/rows_512.sh"
random_rows() {
    python3 - "$@" <<'PYTHON'
import json, random, sys
kind, rows, prompt, answer, path = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
draw = random.Random(f"{kind} {prompt} {answer}")
ids = lambda n: [draw.randrange(100, 49000) for _ in range(n)]
with open(path, "w") as out:
    for i in range(rows):
        row = {"prompt_ids": ids(prompt)}
        row |= {"chosen_ids": ids(answer), "rejected_ids": ids(answer)} if kind == "pairs" else {"completion_ids": ids(answer), "label": i % 2 == 0}
        out.write(json.dumps(row) + "\n")
PYTHON
}
token_pairs() { random_rows pairs "$@"; }
labelled_rows() { random_rows labelled "$@"; }
