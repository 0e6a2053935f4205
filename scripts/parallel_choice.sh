#!/usr/bin/env bash
# choice: base run, SRGen run and comparison, in the paper's setting.
#   bash scripts/parallel_choice.sh MODEL --dataset_path FILE [any flag of `python -m evaluators.choice --help`]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/parallel.sh" choice "$@"
