#!/usr/bin/env bash
# temper registry on the command line: a run is trained, registered, named, refused without a passed verdict, promoted with one, rolled back.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"
for rate in 5e-3 4e-3; do
    "$temper" sft "$work/tiny.yaml" "run_name=r$rate" "learning_rate=$rate" max_steps=1 >/dev/null 2>"$work/stderr" || fail "sft: $(tail -n 3 "$work/stderr")"
done
registry() { "$temper" registry "$@" --registry "$work/registry"; }
runs=(--output-dir "$work/runs")
[ "$(registry add r5e-3 --name tickets --alias candidate "${runs[@]}" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')" = 1 ] || fail "the first version"
TEMPER_OUTPUT_DIR=$work/runs registry add r4e-3 --name tickets >/dev/null || fail "the second version"
[ "$(registry resolve tickets@candidate)" = "$(ls -d "$work"/runs/*r5e-3*)/adapter" ] || fail "resolve: $(registry resolve tickets@candidate)"
registry alias tickets candidate 2 >/dev/null || fail "alias"
[ "$(registry resolve tickets@candidate)" = "$(registry resolve tickets:2)" ] || fail "alias and version differ"
registry list | grep -q 'tickets: 2 versions  candidate = 2' || fail "list: $(registry list)"
registry show tickets | grep -Eq '^ +2 .*not judged .*<- candidate' || fail "show: $(registry show tickets)"

verdict false "$work/runs/*r4e-3*" "$work/stopped.json"
verdict true "$work/runs/*r4e-3*" "$work/passed.json"
verdict true "$work/runs/*r5e-3*" "$work/other.json"
promote() { "$temper" registry promote "$1" --name tickets --alias production --verdict "$2" --registry "$work/registry" "${runs[@]}"; }
expect_exit 2 'moves through a gate alone' registry alias tickets production 1
expect_exit 3 'the gate stopped' promote r4e-3 "$work/stopped.json"
expect_exit 3 'judged adapter' promote r4e-3 "$work/other.json"
expect_exit 66 'has no version, run or alias production' registry resolve tickets@production
sed 's/"passed": false/"passed": true/' "$work/stopped.json" >"$work/edited.json"
expect_exit 65 'changed after the gate' promote r4e-3 "$work/edited.json"
promote r4e-3 "$work/passed.json" >/dev/null || fail "promote"
promote r5e-3 "$work/other.json" >/dev/null || fail "promote again"
[ "$(registry resolve tickets@production)" = "$(registry resolve tickets:1)" ] || fail "production is not what was promoted"
registry rollback --name tickets --alias production >/dev/null || fail "rollback"
[ "$(registry resolve tickets@production)" = "$(registry resolve tickets:2)" ] || fail "production is not what it was before"
expect_exit 3 'rolled back from this adapter' promote r5e-3 "$work/other.json"
promote r4e-3 "$work/passed.json" | grep -q 'production is version 2' || fail "the same promotion again"
"$temper" sft "$work/tiny.yaml" run_name=alike learning_rate=4e-3 max_steps=1 >/dev/null 2>"$work/stderr" || fail "sft: $(tail -n 3 "$work/stderr")"
promote alike "$work/passed.json" | grep -q 'production stays version 2: .* version 3 has the same bytes' || fail "the same bytes: $(promote alike "$work/passed.json")"
[ "$(registry show tickets | grep -c '  \(promote\|rollback\)  ')" = 3 ] || fail "moves: $(registry show tickets)"
sed -i.bak 's/"lora_alpha": 8/"lora_alpha": 80/' "$(registry resolve tickets:1)/adapter_config.json"
expect_exit 65 'adapter_config.json: SHA-256' registry resolve tickets:1
expect_exit 65 'adapter_config.json: SHA-256' registry alias tickets candidate 1
mv "$work"/runs/*r5e-3*/adapter/adapter_config.json.bak "$(ls -d "$work"/runs/*r5e-3*)/adapter/adapter_config.json"
expect_exit 2 'nothing to go back to' registry rollback --name tickets --alias production
expect_exit 2 'did you mean resolve' registry resolv tickets@production
expect_exit 66 'did you mean tickets' registry resolve ticket@production
finish
