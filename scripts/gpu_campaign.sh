#!/usr/bin/env bash
# All that only a GPU can show of SRGen, in under 25 minutes: tokens and reflections on CUDA, what a reflection and an
# engine cost at the size of a 7B model beside the floor of its bytes, vLLM, and the demo model on whole benchmarks.
#   bash scripts/gpu_campaign.sh            on a GPU
#   bash scripts/gpu_campaign.sh --small    the same steps in minutes on a CPU, to see that they run
#   PARTS="tests reflection" bash scripts/gpu_campaign.sh    some of: tests traces reflection throughput vllm study
# A step that needs what is not there (vLLM, the demo model) is left out and said to be; one that fails makes the exit
# status 1, and the others go on.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
small=""
[ "${1:-}" = --small ] && small=1
python="${PYTHON:-.venv/bin/python}"
command -v "$python" >/dev/null || python=python3
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
failed=0

run() {
  echo "\$ $*"
  local began=$SECONDS
  "$@" || { echo "FAILED ($?): $*"; failed=1; }
  echo "($((SECONDS - began)) s)"
}
part() {
  case " ${PARTS:-tests traces reflection throughput vllm study} " in *" $1 "*) printf '\n== %s\n' "$1" ;; *) return 1 ;; esac
}
without() { echo "left out: $1"; }

"$python" - <<'P'
import torch
import transformers

cards = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(f"torch {torch.__version__}, transformers {transformers.__version__}, {', '.join(cards) or 'no GPU'}")
P
has_model=""
"$python" -c 'from srgen.demo_model import demo_folder; raise SystemExit(not (demo_folder() / "config.json").exists())' && has_model=1

if part tests; then
  if [ "$small" ]; then
    run "$python" -m pytest -q tests/test_cuda.py tests/test_architectures.py -k "cuda or lfm2"
  else
    run "$python" -m pytest -q tests/test_cuda.py
  fi
fi
if part traces; then
  if [ "$small" ]; then without "the traces; tests/test_traces.py has them on a CPU"
  elif [ "$has_model" ]; then SRGEN_TEST_DEVICE=cuda run "$python" -m pytest -q tests/test_traces.py
  else without "the traces: the demo model is not there"; fi
fi
if part reflection; then
  run "$python" scripts/bench_reflection.py --model h100-7b
  if [ "$small" ]; then
    run "$python" scripts/bench_reflection.py --shape smollm2-135m --together 1 2 --lengths 100 --repeat 3
  else
    run "$python" scripts/bench_reflection.py --shape qwen2.5-7b --together 1 4 16 --lengths 1000 8000 32000 --repeat 15
  fi
fi
if part throughput; then
  if [ "$small" ]; then
    run "$python" scripts/bench_throughput.py --shape tiny --batch_sizes 1 4 --context 50 --new_tokens 20 --repeat 1
  else
    # Keys and values of 64 rows of 32,000 tokens are more than a card holds.
    run "$python" scripts/bench_throughput.py --shape qwen2.5-7b --batch_sizes 1 16 64 --context 1000 --new_tokens 120 \
      --repeat 2 --released_prompts 1
    run "$python" scripts/bench_throughput.py --shape qwen2.5-7b --batch_sizes 1 16 --context 8000 --new_tokens 120 \
      --repeat 1 --released_repeat 0 --without_generate
    run "$python" scripts/bench_throughput.py --shape qwen2.5-7b --batch_sizes 1 4 --context 32000 --new_tokens 60 \
      --repeat 1 --released_repeat 0 --without_generate
  fi
fi
if part vllm; then
  if ! "$python" -c 'import vllm' 2>/dev/null; then without "vLLM: it is not installed"
  elif [ ! "$has_model" ]; then without "vLLM: the demo model is not there"
  elif [ "$small" ]; then run "$python" scripts/bench_vllm.py --model_path demo --batch_sizes 1 --new_tokens 20
  else run "$python" scripts/bench_vllm.py --model_path demo --batch_sizes 1 8 64; fi
fi
if part study; then
  if [ ! "$has_model" ]; then without "the study: the demo model is not there"
  elif [ "$small" ]; then
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    printf 'models: {demo: {model_path: demo}}\nbenchmarks: [mini]\nmethods: {base: {}, srgen: {}, slot: {}}\n' >"$scratch/small.yaml"
    printf 'settings: {eval_samples: 2, max_new_tokens: 8, output_dir: "%s"}\n' "$scratch/runs" >>"$scratch/small.yaml"
    run "$python" -m evaluators.study "$scratch/small.yaml"
  else run "$python" -m evaluators.study configs/studies/gpu.yaml; fi
fi
exit $failed
