#!/usr/bin/env bash
# Tasks of all four types against lm-evaluation-harness's results and samples; batches, ranks and interruptions change no bit.
. "$(dirname "$0")/common.sh"
golden=$root/tests/goldens/eval
tasks=$golden/tasks
evaluate() {  # evaluate DIR ARGUMENTS...
    local out=$1
    shift
    "$temper" eval --model "$model" --dtype float32 --output-dir "$work/$out" --bootstrap-iters 2000 --json "$@" >"$work/stdout" 2>"$work/stderr" ||
        fail "$out: $(tail -n 3 "$work/stderr")"
}
compare() { python3 "$root/tests/scripts/compare_eval.py" "$(newest_run "$work/$1")" "$golden/$2.json" || fail "$1 differs from the reference"; }
answers() { cat "$(newest_run "$work/$1")"/eval/samples_*.jsonl | sha256sum; }

evaluate plain --tasks "tiny,$tasks/subjects.yaml"
compare plain plain
whole=$(answers plain)
grep -q 'tiny_choice' "$(newest_run "$work/plain")/report.html" || fail "no report of the scores"
grep -q '"status": *"finished"' "$work/stdout" || fail "result: $(cat "$work/stdout")"
evaluate chat --tasks "$tasks/choice.yaml,tiny_blank,tiny_sum,tiny_story" --apply-chat-template --fewshot-as-multiturn no --system-instruction "Be brief."
compare chat chat
evaluate turns --tasks "$tasks/choice.yaml,tiny_sum" --apply-chat-template --num-fewshot 2
compare turns turns

# Small passes, one thread, two ranks: the same bits.
evaluate small --tasks "tiny,$tasks/subjects.yaml" --batch-tokens 64 --threads 1
[ "$(answers small)" = "$whole" ] || fail "--batch-tokens or --threads changed an answer"
if has_mpi; then
    mpirun -n 2 --oversubscribe --bind-to none "$temper" eval --model "$model" --dtype float32 --output-dir "$work/ranks" --bootstrap-iters 2000 \
        --threads 1 --tasks "tiny,$tasks/subjects.yaml" >"$work/stdout" 2>"$work/stderr" || fail "two ranks: $(tail -n 3 "$work/stderr")"
    [ "$(answers ranks)" = "$whole" ] || fail "two ranks changed an answer"
fi

# The same command again finds its run; another limit is another run.
evaluate plain --tasks "tiny,$tasks/subjects.yaml"
grep -q "finished already" "$work/stderr" || fail "a finished run was run again"
grep -Eq '^tiny_choice +acc,none +[0-9.]+' "$work/stderr" || fail "no scores of the finished run: $(cat "$work/stderr")"
grep -q "report $work/plain/.*/report.html" "$work/stderr" || fail "no report is named: $(cat "$work/stderr")"
[ "$(ls -d "$work"/plain/*Z-* | wc -l)" -eq 1 ] || fail "a second run directory"
evaluate plain --tasks "tiny,$tasks/subjects.yaml" --limit 2
[ "$(wc -l <"$(newest_run "$work/plain")/eval/samples_tiny_choice.jsonl")" -eq 2 ] || fail "--limit 2"

# Killed and started again until it is done: the same answers.
for delay in 0.15 0.3 0.45 0.6 0.8; do
    timeout -s KILL "$delay" "$temper" eval --model "$model" --dtype float32 --output-dir "$work/killed" --bootstrap-iters 2000 --batch-tokens 64 \
        --tasks "tiny,$tasks/subjects.yaml" >/dev/null 2>&1
done
evaluate killed --batch-tokens 64 --tasks "tiny,$tasks/subjects.yaml"
[ "$(answers killed)" = "$whole" ] || fail "kills changed an answer"

# Prompts that are cut and right answers that are no choice are told and counted.
sed "s#\.\./data#$golden/data#g; s/^doc_to_target: .*/doc_to_target: 7/; s/^num_fewshot.*/num_fewshot: 0/" "$tasks/choice.yaml" >"$work/wrong.yaml"
evaluate wrong --tasks "$work/wrong.yaml" --max-length 24
grep -q 'warning: task tiny_choice: .* documents have a right answer that is none of the choices' "$work/stderr" || fail "no word of wrong answers: $(cat "$work/stderr")"
grep -q 'warning: task tiny_choice: .* documents do not fit into 24 tokens' "$work/stderr" || fail "no word of cut prompts: $(cat "$work/stderr")"
python3 - "$(newest_run "$work/wrong")/eval/results.json" <<'PYTHON' || fail "counts of cut prompts and wrong answers"
import json, sys
samples = json.load(open(sys.argv[1]))["n-samples"]["tiny_choice"]
assert samples["without_right_choice"] == samples["effective"] and 0 < samples["cut_prompts"] <= samples["effective"], samples
PYTHON

# Examples out of the split that is evaluated: never the document itself.
sed "s#\.\./data#$golden/data#g; /^training_split/d; /^fewshot_split/d; s/^num_fewshot.*/num_fewshot: 4/" "$tasks/sum.yaml" >"$work/own.yaml"
evaluate own --tasks "$work/own.yaml"
python3 - "$(newest_run "$work/own")/eval/samples_tiny_sum.jsonl" <<'PYTHON' || fail "a document is its own example"
import json, sys
for line in open(sys.argv[1]):
    sample = json.loads(line)
    prompt = sample["arguments"]["gen_args_0"]["arg_0"]
    assert prompt.count("Question:") == 5 and prompt.count(sample["doc"]["question"]) == 1, prompt
PYTHON

# Mistakes are named with their file.
cat >"$work/python.yaml" <<'YAML'
task: python
test_split: test
doc_to_target: a
process_docs: !function utils.process_docs
YAML
expect_exit 65 'python.yaml:4.*Jinja template' "$temper" eval --model "$model" --tasks "$work/python.yaml" --output-dir "$work/bad"
sed 's/^process_docs.*/doc_to_txt: b/' "$work/python.yaml" >"$work/key.yaml"
expect_exit 65 'key.yaml: doc_to_txt: not known here; did you mean doc_to_text' "$temper" eval --model "$model" --tasks "$work/key.yaml" --output-dir "$work/bad"
expect_exit 2 "unknown task 'tiny_chioce'; did you mean tiny_choice" "$temper" eval --model "$model" --tasks "tiny_chioce,$tasks/choice.yaml" --output-dir "$work/bad"
expect_exit 66 "no data of split 'test'.*arc_easy/test.jsonl" "$temper" eval --model "$model" --tasks arc_easy --output-dir "$work/bad"
sed 's/{{answer|int - 1}}/{{anser}}/' "$tasks/blank.yaml" | sed "s#../data#$golden/data#" >"$work/name.yaml"
expect_exit 65 "name.yaml: doc_to_text: template:1:1: 'anser' is undefined.*document 0" "$temper" eval --model "$model" --tasks "$work/name.yaml" --output-dir "$work/bad"
sed "s#\.\./data#$golden/data#g; s/{metric: exact_match,.*/{metric: f1}/" "$tasks/choice.yaml" >"$work/f1.yaml"
expect_exit 65 'f1.yaml: metric_list: f1 is of two choices, found [0-9]+.*document 0' "$temper" eval --model "$model" --tasks "$work/f1.yaml" --output-dir "$work/bad"
finish
