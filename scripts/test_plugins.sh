#!/usr/bin/env bash
# Tests of the plug-ins for lm-eval, inspect and lighteval in environments of their own, made on the first run.
# .venv-plugins: inspect_ai wants an older fsspec than constraints.txt has.
# .venv-lighteval: lighteval wants latex2sympy2_extended 1.0.6, with which our grader does not work; it has what is
# lighteval's alone and takes everything else from .venv-plugins.
#   bash scripts/test_plugins.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv-plugins
lighteval=.venv-lighteval
# The mark is written last, so that an installation cut short is done again.
mark=$environment/installed
wanted=$(cat pyproject.toml scripts/test_plugins.sh tests/plugins/*constraints.txt | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "== installing lm-eval and inspect"
    "${PYTHON:-python3}" -m venv --clear "$environment"
    pip="$environment/bin/python -m pip --disable-pip-version-check"
    $pip install --quiet --constraint tests/plugins/constraints.txt \
        --editable '.[demo,inspect,lm-eval,report]' hypothesis pytest pytest-timeout
    # Its schemas are wanted, not its code, which asks for Python 3.12.
    $pip install --quiet --no-deps --ignore-requires-python every-eval-ever==0.3.0
    echo "== installing lighteval"
    "${PYTHON:-python3}" -m venv --clear "$lighteval"
    "$lighteval/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps \
        --requirement tests/plugins/lighteval_constraints.txt
    "$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$("$lighteval/bin/python" \
        -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/plugins.pth"
    echo "$wanted" >"$mark"
fi

"$environment/bin/python" -m srgen.demo_model
"$environment/bin/python" -m pytest tests/plugins --ignore tests/plugins/test_lighteval.py "$@"
"$lighteval/bin/python" -m pytest tests/plugins/test_lighteval.py "$@"
