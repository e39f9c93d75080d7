#!/usr/bin/env bash
# temper dataset against a stand-in endpoint: rows that sft and dpo read, answers repaired once, nothing asked twice after a kill, the key kept.
. "$(dirname "$0")/common.sh"
store_program=$(dirname "$temper")/tests/store_program
metric() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/run.json"))["metrics"][sys.argv[2]])' "$1" "$2"; }
expect_metric() {  # expect_metric RUN NAME VALUE
    local got
    got=$(metric "$1" "$2")
    [ "$got" = "$3" ] || fail "$2 is $got instead of $3"
}
become_dataset() {  # become_dataset NAME [arguments]: run directories in $work/NAME; in the background, $! is temper's
    local name=$1
    shift
    exec "$temper" dataset "$work/dataset.yaml" "output_dir=$work/$name" "base_url=http://127.0.0.1:$port/v1" "$@"
}
dataset() { (become_dataset "$@"); }

"$store_program" "$work/store" || fail "no store"
cat >"$work/dataset.yaml" <<CONFIG
store: $work/store
prompts: {user: $root/jobs/prompts/instruct.jinja, system: $root/jobs/prompts/system.jinja}
endpoint: {model: stand-in, api_key_env: TEMPER_TEST_KEY}
prices: [{model: stand-in, input: 10, output: 100}]
test_share: 0.3
CONFIG
export TEMPER_TEST_KEY=secret-of-the-test

# 38 chunks: two are short. Of 4 each: malformed and hopeless are asked twice, refused ones are rejected, the first row of SAME is kept alone.
stand_in_model whole chat_server.py
dataset whole --json >"$work/stdout" 2>"$work/stderr" || fail "dataset: $(tail -n 3 "$work/stderr")"
run=$(newest_run "$work/whole")
tail -n 1 "$work/stdout" | python3 -c 'import json, sys; r = json.loads(sys.stdin.readline()); assert r["status"] == "finished" and r["metrics"]["chunks"] == 38, r' ||
    fail "--json: $(tail -n 1 "$work/stdout")"
for pair in chunks:38 repaired:4 rejected:8 unasked:0 rows:60 duplicates:15 questions:46 prompt_tokens:42000 completion_tokens:4200 cost:0.84; do
    expect_metric "$run" "${pair%:*}" "${pair#*:}"
done
[ "$(requests whole)" -eq 50 ] || fail "$(requests whole) requests instead of 46 questions and 4 again"
python3 - "$run/data" <<'PYTHON' || fail "rows"
import json, sys
rows = {name: [json.loads(line) for line in open(f"{sys.argv[1]}/{name}.jsonl")] for name in ("train", "test")}
assert len(rows["train"]) + len(rows["test"]) == 45, {k: len(v) for k, v in rows.items()}
documents = {name: {row["document"] for row in value} for name, value in rows.items()}
assert documents["train"] and documents["test"] and not documents["train"] & documents["test"], documents
row = next(row for value in rows.values() for row in value if row["chunk"] == "post/0#1")
assert row["prompt"] == [{"role": "user", "content": "What does post/0#1 say, 1?"}], row
assert row["completion"] == [{"role": "assistant", "content": "It says \u201cyes\u201d, post/0#1 1."}], row
PYTHON
tiny_config "$work/tiny.yaml"
"$temper" sft "$work/tiny.yaml" "data.train=$run/data/train.jsonl" "data.eval=$run/data/test.jsonl" --dry-run >/dev/null 2>"$work/stderr" ||
    fail "sft does not read the rows: $(tail -n 3 "$work/stderr")"
grep -q 'Bearer secret-of-the-test' <(sed 's/.*\(Bearer[^"]*\).*/\1/' "$work/whole.requests") || fail "no key was sent"
! grep -rq 'secret-of-the-test' "$work/whole" "$work/stderr" "$work/stdout" || fail "the key is in what the run leaves behind"

# A finished run, and one whose pace alone differs: nothing is asked
dataset whole concurrency=1 >/dev/null 2>"$work/stderr" || fail "a finished run again"
[ "$(requests whole)" -eq 50 ] || fail "a finished run asked again"
grep -q 'finished already; --resume no' "$work/stderr" || fail "a finished run is not told: $(tail -n 3 "$work/stderr")"

# Killed, then stopped by a signal, then to the end: the same rows, and no more requests than answers that were under way
stand_in_model slow chat_server.py 0.2
become_dataset slow concurrency=3 >/dev/null 2>&1 &
job=$!
for _ in $(seq 1 200); do [ "$(requests slow)" -ge 12 ] && break; sleep 0.05; done
kill -KILL "$job"
wait "$job" 2>/dev/null
become_dataset slow concurrency=3 >/dev/null 2>"$work/stderr" &
job=$!
for _ in $(seq 1 200); do [ "$(requests slow)" -ge 24 ] && break; sleep 0.05; done
kill -TERM "$job"
wait "$job"
[ $? -eq 75 ] || fail "stopped by SIGTERM, it did not exit with 75: $(tail -n 2 "$work/stderr")"
dataset slow >/dev/null 2>"$work/stderr" || fail "the last part: $(tail -n 2 "$work/stderr")"
[ "$(ls -d "$work"/slow/*Z-* | wc -l)" -eq 1 ] || fail "resuming made another run"
cmp -s "$run/data/train.jsonl" "$(newest_run "$work/slow")/data/train.jsonl" || fail "other rows after a kill"
cmp -s "$run/data/test.jsonl" "$(newest_run "$work/slow")/data/test.jsonl" || fail "other test rows after a kill"
[ "$(requests slow)" -le 54 ] || fail "$(requests slow) requests, 50 undisturbed: answers were asked for twice"
expect_metric "$(newest_run "$work/slow")" questions 46

# Preferences as texts, for dpo
port=$(cat "$work/whole.port")
dataset preference kind=preference form=text test_share=0 categories=post 'filters=[year>=2022]' "prompts.user=$root/jobs/prompts/preference.jinja" >/dev/null 2>"$work/stderr" ||
    fail "preference: $(tail -n 3 "$work/stderr")"
run=$(newest_run "$work/preference")
grep -q '"chosen":"A post/8#0 1","rejected":"Nothing."' "$run/data/train.jsonl" || fail "no preference row"
! grep -q 'article' "$run"/data/*.jsonl || fail "a category that was not asked for"
"$temper" dpo "$work/tiny.yaml" "data.train=$run/data/train.jsonl" data.eval=null --dry-run >/dev/null 2>"$work/stderr" ||
    fail "dpo does not read the rows: $(tail -n 3 "$work/stderr")"

# Costs end it. The same run goes on where more may be spent, and ends as one that had no limit; else nothing is asked.
stand_in_model cost chat_server.py
dataset cost max_cost=0.2 concurrency=1 >/dev/null 2>"$work/stderr" || fail "max_cost"
grep -q 'chunks were not asked about; the same command with a higher max_cost' "$work/stderr" || fail "unasked chunks are not told: $(tail -n 2 "$work/stderr")"
run=$(newest_run "$work/cost")
expect_metric "$run" cost 0.2
asked=$(requests cost)
dataset cost max_cost=0.2 concurrency=1 >/dev/null 2>"$work/stderr" || fail "max_cost again"
grep -q 'a higher max_cost goes on' "$work/stderr" || fail "unasked chunks of a finished run are not told: $(tail -n 2 "$work/stderr")"
dataset cost max_cost=0.19 concurrency=1 >/dev/null 2>&1 || fail "a lower max_cost"
[ "$(requests cost)" -eq "$asked" ] || fail "$(requests cost) requests instead of $asked: max_cost did not hold"
dataset cost max_cost=0.4 concurrency=1 >/dev/null 2>"$work/stderr" || fail "a higher max_cost: $(tail -n 2 "$work/stderr")"
expect_metric "$run" cost 0.4
dataset cost concurrency=1 >/dev/null 2>"$work/stderr" || fail "no max_cost: $(tail -n 2 "$work/stderr")"
expect_metric "$run" unasked 0
expect_metric "$run" questions 46
[ "$(requests cost)" -eq 50 ] || fail "$(requests cost) requests instead of 50: answers were asked for twice"
[ "$(ls -d "$work"/cost/*Z-* | wc -l)" -eq 1 ] || fail "a higher max_cost made another run"
cmp -s "$run/data/train.jsonl" "$(newest_run "$work/whole")/data/train.jsonl" || fail "other rows behind a limit of costs"
dataset cost --resume no max_cost=0.02 concurrency=1 >/dev/null 2>&1 || fail "--resume no"
[ "$(ls -d "$work"/cost/*Z-* | wc -l)" -eq 2 ] || fail "--resume no made no other run"

# An endpoint that counts no tokens: no limit can be kept, but the answer is
: >"$work/uncounted.requests"
stand_in uncounted chat_server.py "$work/uncounted.requests" 0 uncounted
for _ in 1 2; do expect_exit 2 "/v1: it answers without .usage.*max_cost 1 cannot be kept" dataset uncounted max_cost=1 concurrency=1; done
[ "$(wc -l <"$(newest_run "$work/uncounted")/answers.jsonl")" -eq 1 ] || fail "the answer that was not counted is not kept once"
dataset uncounted concurrency=1 >/dev/null 2>"$work/stderr" || fail "without max_cost: $(tail -n 2 "$work/stderr")"
expect_metric "$(newest_run "$work/uncounted")" questions 46

# Trouble that passes, some of it behind a 200, is waited for
: >"$work/troubled.requests"
stand_in troubled chat_server.py "$work/troubled.requests" 0 troubled
dataset troubled >/dev/null 2>"$work/stderr" || fail "passing trouble: $(tail -n 2 "$work/stderr")"
for trouble in 'status 529; again in' 'status 200, but an error: overloaded; again in' 'status 200, but no JSON: <html>'; do
    grep -q "$trouble" "$work/stderr" || fail "no '$trouble' is told: $(tail -n 3 "$work/stderr")"
done
cmp -s "$(newest_run "$work/troubled")/data/train.jsonl" "$(newest_run "$work/whole")/data/train.jsonl" || fail "other rows behind trouble"
port=$(cat "$work/whole.port")

# Failures say what they are
expect_exit 74 '401: bad key Bearer \*\*\*' env TEMPER_TEST_KEY=wrong-key-here "$temper" dataset "$work/dataset.yaml" "output_dir=$work/bad" "base_url=http://127.0.0.1:$port/v1"
expect_exit 74 'POST http://127.0.0.1:1/v1/chat/completions' "$temper" dataset "$work/dataset.yaml" "output_dir=$work/bad" base_url=http://127.0.0.1:1/v1 attempts=1
expect_exit 2 'TEMPER_TEST_NO_KEY is not set' dataset bad api_key_env=TEMPER_TEST_NO_KEY
expect_exit 2 'max_cost needs an entry of prices' dataset bad model=other max_cost=1
expect_exit 2 'rows_per_chunkk.*rows_per_chunk' dataset bad rows_per_chunkk=2
expect_exit 2 'filter year>x' dataset bad 'filters=[year>x]'
printf '{{ text' >"$work/broken.jinja"
expect_exit 2 'broken\.jinja' dataset bad "prompts.user=$work/broken.jinja"
expect_exit 66 'absent' dataset bad "store=$work/absent"
expect_exit 99 'no chunk is left' dataset bad categories=nothing
finish
