#!/bin/bash
# ROUGE, BLEU and chrF of many rows against the reference packages:  text_metrics.sh TESTS_EVAL [ROWS=1500]
# TESTS_EVAL is the built tests_eval; ${PYTHON:-python3} has rouge-score 0.1.2, sacrebleu 2.6.0.
set -euo pipefail
tests=$(realpath "$1")
rows=${2:-1500}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" "$(dirname "$0")/../goldens/make_text_metric_goldens.py" "${rows#ROWS=}" "$work"
TEMPER_TEXT_METRICS=$work "$tests" --gtest_filter='TextMetric.*'
