#!/usr/bin/env bash
# Set up the environment and run lint, types and the whole test suite.
#   bash scripts/test.sh [pytest arguments]
#   bash scripts/test.sh --newest [pytest arguments]   the tests only, on the newest versions, in .venv-newest
# Without a GPU --newest keeps torch at the version of constraints.txt: a newer one from PyPI would bring gigabytes of CUDA.
# TORCH=newest takes it all the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1:-}" = --newest ]; then
  shift
  [ -d .venv-newest ] || python3 -m venv .venv-newest
  torch=$(grep '^torch==' constraints.txt)
  [ "${TORCH:-}" != newest ] && ! command -v nvidia-smi >/dev/null || torch=torch
  echo "== installing the newest versions, and $torch"
  .venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[dev]' "$torch"
  .venv-newest/bin/python -m pip list --format freeze | grep -E '^(torch|transformers|tokenizers|accelerate|datasets)=='
  .venv-newest/bin/python -m srgen.demo_model
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
  exec .venv-newest/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
fi
bash scripts/setup.sh dev
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
.venv/bin/python -m mypy
# Two processes of one thread each: on two cores, two threads that wait for each other by spinning are slower.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
