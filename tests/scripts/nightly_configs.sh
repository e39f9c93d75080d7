# Short trainings for a night on the tiny model.
# nightly_configs FOLDER SFT_ROWS SFT_STEPS DPO_ROWS DPO_STEPS SAVE_STEPS: sft.yaml, dpo.yaml and their rows.
nightly_configs() {
    local folder=$1 data
    data=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../jobs/data" && pwd)
    head -n "$2" "$data/tickets_train.jsonl" >"$folder/train.jsonl"
    head -n "$4" "$data/tickets_pairs.jsonl" >"$folder/pairs.jsonl"
    cat >"$folder/sft.yaml" <<YAML
data: {train: $folder/train.jsonl, max_length: 256}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: $3, global_batch_size: 8, micro_batch_tokens: 1024, learning_rate: 5e-3, save_steps: $6}
YAML
    cat >"$folder/dpo.yaml" <<YAML
data: {train: $folder/pairs.jsonl, max_length: 256}
train: {max_steps: $5, global_batch_size: 8, micro_batch_tokens: 1024, learning_rate: 1e-3, save_steps: $6}
YAML
}
