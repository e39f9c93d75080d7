#!/bin/bash
# Metrics of classes over many lists against scikit-learn:  classification.sh TESTS_EVAL [CASES=3000]
# TESTS_EVAL is the built tests_eval; scikit-learn comes into a virtual environment under ${TEMPER_CACHE:-~/.cache/temper}.
set -euo pipefail
tests=$(realpath "$1")
cases=${2:-3000}
cache=${TEMPER_CACHE:-$HOME/.cache/temper}
python=${PYTHON:-$cache/venv-sklearn/bin/python}
[ -x "$python" ] || { python3 -m venv "$cache/venv-sklearn" && "$python" -m pip install --quiet scikit-learn; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$(dirname "$0")/../goldens/make_classification_goldens.py" "${cases#CASES=}" "$work/cases.json"
TEMPER_CLASSIFICATION=$work/cases.json "$tests" --gtest_filter='Classification.*'
