#!/usr/bin/env bash
# A language model answers the embedded benchmark plainly, with SRGen and with SLOT: a table and a report of all samples.
#   bash scripts/demo.sh [any flag of `python -m evaluators.study --help`]
# Makes its own environment and needs no GPU. Run again, it skips what is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh demo,report
exec .venv/bin/python -m evaluators.demo "$@"
