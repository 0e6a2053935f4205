#!/usr/bin/env bash
# Tests of the plug-ins for lm-eval and inspect in an environment of their own (.venv-plugins), made on the first run:
# inspect_ai wants an older fsspec than constraints.txt has.
#   bash scripts/test_plugins.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv-plugins
# The mark is written last, so that an installation cut short is done again.
mark=$environment/installed
wanted=$(cat pyproject.toml tests/plugins/constraints.txt | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "== installing lm-eval and inspect"
    "${PYTHON:-python3}" -m venv --clear "$environment"
    pip="$environment/bin/python -m pip --disable-pip-version-check"
    $pip install --quiet --constraint tests/plugins/constraints.txt \
        --editable '.[demo,inspect,lm-eval,report]' hypothesis pytest pytest-timeout
    # Its schemas are wanted, not its code, which asks for Python 3.12.
    $pip install --quiet --no-deps --ignore-requires-python every-eval-ever==0.3.0
    echo "$wanted" >"$mark"
fi

"$environment/bin/python" -m srgen.demo_model
exec "$environment/bin/python" -m pytest tests/plugins "$@"
