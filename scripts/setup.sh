#!/usr/bin/env bash
# Make the project's own environment in .venv, with the exact versions of constraints.txt, and fetch the embedded model.
#   bash scripts/setup.sh [EXTRAS]      EXTRAS as in pyproject.toml, e.g. `demo,report` (the default) or `dev`
# What is already there is left as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras=${1:-demo,report}
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))'; then
    echo "error: $python is older than Python 3.11; name a newer one: PYTHON=python3.12 bash $0" >&2
    exit 2
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv

# The mark is written last, so that an installation cut short is done again.
mark=.venv/installed-${extras//,/-}
wanted=$(cat pyproject.toml constraints.txt | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "== installing ($extras)"
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[$extras]"
    echo "$wanted" >"$mark"
fi
.venv/bin/python -m srgen.demo_model
