"""lm-eval's own model against ours on the same questions: speed, responses, and both graders' verdicts.

    .venv-plugins/bin/python scripts/bench_lm_eval.py [--questions GSM8K.jsonl] [--limit 16] [--tokens 512]

lm-eval answers a local task of its GSM8K kind, greedily at batch 8: with its model `hf`, and with `srgen` without
reflections; then `python -m evaluators.gsm8k` answers the same questions with the same system prompt. lm-eval's samples
of `hf` are imported and compared with ours. Without --questions, the embedded mini questions are asked. Run it with the
environment that scripts/test_plugins.sh makes. Seconds are of whole commands, the loading of the model included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from evaluators.benchmarks.registry import benchmark_named
from evaluators.records.reading import read_run
from srgen.demo_model import demo_folder

MINI = Path(__file__).resolve().parents[1] / "evaluators" / "benchmarks" / "data" / "mini.jsonl"
TASK = """task: gsm8k_local
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_text: "{{{{problem}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: []
  do_sample: false
  max_gen_toks: {tokens}
metric_list:
  - metric: exact_match
    ignore_case: true
    ignore_punctuation: false
    regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]
filter_list:
  - name: flexible-extract
    filter:
      - function: regex
        group_select: -1
        regex_pattern: "(-?[$0-9.,]{{2,}})|(-?[0-9]+)"
      - function: take_first
metadata:
  version: 1
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=Path, default=MINI, help="JSONL with id, problem or question, and answer")
    parser.add_argument("--limit", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=512, help="per response at most")
    parser.add_argument("--output", type=Path, help="folder that keeps the runs (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        data = write_task(folder, questions(options.questions, options.limit), options.tokens)
        spent = {name: lm_eval(folder, name) for name in ("hf", "srgen")}
        spent["evaluators"] = evaluators(folder, data, options.tokens)
        texts = {"hf": logged(folder, "hf"), "srgen": logged(folder, "srgen"), "evaluators": responses(folder)}
        for name, (wall, cpu) in spent.items():
            same = sum(a == b for a, b in zip(texts[name], texts["evaluators"], strict=True))
            print(f"{name}: {wall:.1f} s, {cpu:.1f} CPU s; {same} of {len(texts[name])} responses as evaluators'")
        print(f"lm-eval's hf : ours = {spent['hf'][0] / spent['srgen'][0]:.2f} (wall), ", end="")
        print(f"{spent['hf'][1] / spent['srgen'][1]:.2f} (CPU)", flush=True)
        import_and_compare(folder, data)


def questions(path: Path, limit: int) -> list[dict[str, Any]]:
    """The first rows of a file, as our own benchmark reads them and as lm-eval's task asks them."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()[:limit]]
    return [
        {
            "id": row.get("id", str(number)),
            "problem": row.get("problem") or row["question"],
            "answer": str(row["answer"]).rsplit("####", 1)[-1].strip(),
        }
        for number, row in enumerate(rows)
    ]


def write_task(folder: Path, rows: list[dict[str, Any]], tokens: int) -> Path:
    data = folder / "questions.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "gsm8k_local.yaml").write_text(TASK.format(data=data.resolve(), tokens=tokens))
    return data


def lm_eval(folder: Path, model: str) -> tuple[float, float]:
    """(wall, CPU) seconds of lm-eval's command."""
    ours = ["use_entropy_control=False"] if model == "srgen" else []
    arguments = ",".join([f"pretrained={demo_folder()}", "dtype=float32", *ours])
    command = ["-m", "srgen.lm_eval", "run", "--model", model, "--model_args", arguments, "--batch_size", "8"]
    command += [
        "--device",
        "cpu",
        "--include_path",
        str(folder),
        "--tasks",
        "gsm8k_local",
        "--apply_chat_template",
        "--log_samples",
    ]
    command += ["--system_instruction", benchmark_named("gsm8k").system_prompt]
    return timed([*command, "--output_path", str(folder / model)])


def evaluators(folder: Path, data: Path, tokens: int) -> tuple[float, float]:
    command = ["-m", "evaluators.gsm8k", "--model_path", "demo", "--device", "cpu", "--dtype", "float32"]
    command += ["--no-use_entropy_control", "--no-do_sample", "--average", "1", "--batch_size", "8"]
    command += ["--dataset_path", str(data), "--max_new_tokens", str(tokens), "--prompt_role", "system"]
    return timed([*command, "--output_dir", str(folder / "results"), "--run_name", "ours"])


def timed(command: list[str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *command], env=offline, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def samples_file(folder: Path, model: str) -> Path:
    return next((folder / model).rglob("samples_*.jsonl"))


def logged(folder: Path, model: str) -> list[str]:
    rows = [json.loads(line) for line in samples_file(folder, model).read_text("utf-8").splitlines()]
    return [row["resps"][0][0] for row in sorted(rows, key=lambda row: int(row["doc_id"]))]


def responses(folder: Path) -> list[str]:
    (run,) = (folder / "results").rglob("ours")
    found = read_run(run)
    return [found.samples[question.id, 0].response for question in found.questions]


def import_and_compare(folder: Path, data: Path) -> None:
    """Both scores side by side with each disagreement, then the comparison with our own run."""
    command = ["evaluators.importing", str(samples_file(folder, "hf")), "--benchmark", "gsm8k", "--model", "demo"]
    command += ["--method", "lm-eval", "--dataset_path", str(data), "--output_dir", str(folder / "results")]
    subprocess.run([sys.executable, "-m", *command, "--run_name", "imported"], check=True)
    runs = [str(next((folder / "results").rglob(name))) for name in ("imported", "ours")]
    subprocess.run([sys.executable, "-m", "evaluators.compare", *runs, "--output_dir", str(folder / "c")], check=True)


if __name__ == "__main__":
    main()
