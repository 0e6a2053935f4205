#!/usr/bin/env bash
# Tests of the plug-ins for lm-eval, inspect and lighteval, and of custom_generate/ with the newest transformers, in
# environments of their own, made on the first run.
# .venv-plugins: inspect_ai wants an older fsspec than constraints.txt has.
# .venv-lighteval: lighteval wants latex2sympy2_extended 1.0.6, with which our grader does not work, and does not start
# with huggingface_hub 2.
# .venv-plugins-newest: vLLM wants an older transformers than the newest.
# The last two hold only what differs and take everything else from .venv-plugins.
#   bash scripts/test_plugins.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv-plugins
lighteval=.venv-lighteval
newest=.venv-plugins-newest

packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

# An environment with these packages before those of .venv-plugins.
overlay() {
    "${PYTHON:-python3}" -m venv --clear "$1"
    "$1/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps "${@:2}"
    packages "$environment" >"$(packages "$1")/plugins.pth"
}

# The mark is written last, so that an installation cut short is done again.
mark=$environment/installed
wanted=$(cat pyproject.toml scripts/test_plugins.sh tests/plugins/*constraints.txt | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "== installing lm-eval and inspect"
    "${PYTHON:-python3}" -m venv --clear "$environment"
    pip="$environment/bin/python -m pip --disable-pip-version-check"
    $pip install --quiet --constraint tests/plugins/constraints.txt \
        --editable '.[demo,inspect,lm-eval,report,server]' hypothesis pytest pytest-timeout
    # Its schemas are wanted, not its code, which asks for Python 3.12.
    $pip install --quiet --no-deps --ignore-requires-python every-eval-ever==0.3.0
    echo "== installing lighteval and the newest transformers"
    overlay "$lighteval" --requirement tests/plugins/lighteval_constraints.txt
    # When it starts, lighteval downloads this file for tasks of its own; an empty one lets it start without a network.
    touch "$(packages "$lighteval")/lighteval/tasks/tasks/tinyBenchmarks.pkl"
    overlay "$newest" transformers==5.24.0
    echo "$wanted" >"$mark"
fi

"$environment/bin/python" -m srgen.demo_model
"$environment/bin/python" -m pytest tests/plugins --ignore tests/plugins/test_lighteval.py "$@"
"$lighteval/bin/python" -m pytest tests/plugins/test_lighteval.py "$@"
"$newest/bin/python" -m pytest tests/test_api.py -k "custom_generate or repository" "$@"
