"""Wrong usages: each command, its exit status and its one sentence; never a traceback."""

from __future__ import annotations

import importlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.summary import summarise
from evaluators.benchmarks.registry import benchmark_named
from evaluators.cli import main as run_benchmark
from evaluators.settings.sources import ENVIRONMENT

M = "--model_path m"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, two runs, runs that are damaged in one way each, and files that are wrong."""
    root = tmp_path_factory.mktemp("usage")
    (root / "m").mkdir()
    (root / "m" / "config.json").write_text("{}")
    (root / "empty").mkdir()
    for number, name in enumerate(("base", "srgen")):
        summarise(drawn_run(root / name, questions=3, k=2, srgen=bool(number)), first_words)
    for name, damage in DAMAGE.items():
        damage(drawn_run(root / name, questions=3, k=2))
    for name, content in FILES.items():
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def _edit_config(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        config = yaml.safe_load((run / "config.yaml").read_text())
        change(config["run"])
        (run / "config.yaml").write_text(yaml.safe_dump(config))

    return edit


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    def write(run: Path) -> None:
        (run / name).write_bytes(content)

    return write


DAMAGE: dict[str, Callable[[Path], None]] = {
    "average-four": _edit_config(lambda run: run.update(average="four")),
    "average-none": _edit_config(lambda run: run.pop("average")),
    "not-yaml": _write("config.yaml", b"run: ["),
    "config-empty": _write("config.yaml", b""),
    "latin": _write("samples.jsonl", b'{"response": "\xe9"}\n'),
    "foreign": _write("samples.jsonl", b'{"id": 1, "text": "x"}\n'),
    "not-json": _write("samples.jsonl", b"hello\n"),
    "list": _write("samples.jsonl", b"[1]\n"),
    "no-questions": lambda run: (run / "questions.jsonl").unlink(),
}
FILES: dict[str, str | bytes] = {
    "file": "text",
    "q.jsonl": json.dumps({"problem": "What is 1?", "answer": 1}),
    "no-answer.jsonl": json.dumps({"problem": "What is 1?"}),
    "words.jsonl": json.dumps({"problem": "What is 1?", "answer": "one"}),
    "twice.jsonl": "\n".join([json.dumps({"id": "a", "problem": "What is 1?", "answer": 1})] * 2),
    "broken.jsonl": '{"problem": "x", "answer": 1}\n{"problem',
    "none.jsonl": "",
    "numbers.json": "[1, 2]",
    "object.json": '{"a": 1}',
    "q.txt": "x",
    "bad.parquet": b"PAR1",
    "unknown.yaml": "temprature: 1",
    "limit.yaml": "limit: 1",
    "list.yaml": "- 1",
    "broken.yaml": "a: [",
    "type.yaml": "times: many",
    "latin.yaml": b"system_prompt: \xe9",
    "server.json": '{"prot": 1}',
    "broken.json": "{",
}
SERVE = "srgen.server.__main__"
USAGES: list[tuple[str, str, str]] = [
    # flags
    ("mini", "", "--model_path is missing: give a model folder, a hub id, or `demo`"),
    ("mini", "--model_path", "expected one argument"),
    ("mini", f"{M} extra", "unexpected argument 'extra'; flags start with two dashes"),
    ("mini", f"{M} --temprature 1", "unknown flag '--temprature'; did you mean '--temperature'?"),
    ("mini", f"{M} --set_minimal_threshold", "--set_minimal_threshold has no effect in the released code"),
    # words of other tools
    ("mini", f"{M} --limit 5", "unknown flag '--limit'; use --eval_samples N"),
    ("mini", f"{M} --limit=5", "unknown flag '--limit'; use --eval_samples N"),
    ("mini", f"{M} --srgen", "unknown flag '--srgen'; use --method srgen"),
    ("mini", f"{M} --num_samples 4", "use --average K for samples of every question, --eval_samples N for a subset"),
    ("mini", f"{M} --n 4", "use --average K for samples of every question, --eval_samples N for a subset"),
    ("mini", f"{M} -n 4", "use --average K for samples of every question, --eval_samples N for a subset"),
    ("mini", f"{M} --max-tokens 4", "unknown flag '--max-tokens'; use --max_new_tokens N"),
    ("mini", "--model m", "unknown flag '--model'; use --model_path MODEL"),
    ("mini", f"{M} --tp 2", "unknown flag '--tp'; use --tensor_parallel N"),
    ("mini", f"{M} --tasks aime", "unknown flag '--tasks'; use the benchmark's name in place of a flag"),
    ("mini", f"{M} --qqqq", "unknown flag '--qqqq'; python -m evaluators mini --help lists all"),
    ("mini", f"{M} --entropy", "unknown flag '--entropy'; did you mean '--record_entropy'"),
    ("mini", "--config limit.yaml", "unknown key 'limit' in limit.yaml; use --eval_samples N"),
    ("mini", f"{M} --use_entropy_control maybe", "unexpected argument 'maybe'"),
    ("mini", f"{M} --no-parallel true", "--no-parallel takes no value, not 'true'; give --parallel or --no-parallel"),
    ("mini", f"{M} --parallel=2", "--parallel must be of type bool, not '2'"),
    ("mini", f"{M} --temperature hot", "--temperature must be of type float, not 'hot'"),
    ("mini", f"{M} --temperature 0", "temperature must be positive, not 0.0; for greedy decoding"),
    ("mini", f"{M} --temperature -1", "temperature must be positive"),
    ("mini", f"{M} --temperature nan", "temperature must be positive"),
    ("mini", f"{M} --temperature inf", "temperature must be positive"),
    ("mini", f"{M} --top_p 0", "top_p must lie in (0, 1], not 0.0"),
    ("mini", f"{M} --top_p 1.1", "top_p must lie in (0, 1], not 1.1"),
    ("mini", f"{M} --top_k -1", "top_k must be at least 0, not -1"),
    ("mini", f"{M} --max_new_tokens 0", "max_new_tokens must be at least 1, not 0"),
    ("mini", f"{M} --max_new_tokens 1.5", "--max_new_tokens must be of type int, not '1.5'"),
    ("mini", f"{M} --average 0", "average must be at least 1 sample per question, not 0"),
    ("mini", f"{M} --average two", "--average must be of type int, not 'two'"),
    ("mini", f"{M} --seed x", "--seed must be of type int, not 'x'"),
    ("mini", f"{M} --batch_size 0", "batch_size must be at least 1 sample, not 0"),
    ("mini", f"{M} --batch_size -8", "batch_size must be at least 1 sample, not -8"),
    ("mini", f"{M} --workers 0", "workers must be at least 1 process, not 0"),
    ("mini", f"{M} --grading_workers 0", "grading_workers must be at least 1 process, not 0"),
    ("mini", f"{M} --grading_timeout 0", "grading_timeout must be positive seconds"),
    ("mini", f"{M} --worker_timeout -1", "worker_timeout must be positive seconds"),
    ("mini", f"{M} --max_attempts 0", "max_attempts must be at least 1 attempt, not 0"),
    ("mini", f"{M} --max_parallel_gpus 0", "max_parallel_gpus must be at least 1 GPU, not 0"),
    ("mini", f"{M} --eval_samples 0", "eval_samples must be at least 1 question, not 0"),
    ("mini", f"{M} --eval_samples some", "--eval_samples must be of type int, not 'some'"),
    ("mini", f"{M} --max_model_len 0", "max_model_len must be at least 1 token, not 0"),
    ("mini", f"{M} --gpu_memory_utilization 0", "gpu_memory_utilization must lie in (0, 1], not 0.0"),
    ("mini", f"{M} --tensor_parallel 0", "tensor_parallel must be at least 1 GPU, not 0"),
    ("mini", f"{M} --tensor_parallel 2", "--tensor_parallel goes with --backend vllm"),
    ("mini", f"{M} --park_steps -1", "park_steps must be at least 0 steps, not -1"),
    ("mini", f"{M} --backend vllm --park_steps 8", "--park_steps goes with --backend transformers"),
    (
        "mini",
        f"{M} --backend released --record_signals",
        "--record_signals goes with --backend transformers, vllm, openai; released gives none",
    ),
    ("mini", f"{M} --backend tgi", "unknown backend 'tgi'; known: "),
    ("mini", f"{M} --dtype int4", "--dtype must be one of auto, float32, bfloat16, float16, not 'int4'"),
    ("mini", f"{M} --launcher slurm", "--launcher must be one of local, ray, not 'slurm'"),
    ("mini", f"{M} --prompt_role tool", "--prompt_role must be one of system, user, not 'tool'"),
    ("mini", f"{M} --backend openai", "--backend openai and --base_url go together"),
    ("mini", f"{M} --base_url http://x/v1", "--backend openai and --base_url go together"),
    ("mini", f"{M} --reencode_context", "it goes with --backend released"),
    ("mini", f"{M} --drop_last_reflection", "it goes with --backend released"),
    ("mini", f"{M} --budget_per_pass", "it goes with --backend released"),
    ("mini", f"{M} --do_sample --no-do_sample", "--do_sample and --no-do_sample are both given; give one of them"),
    ("mini", f"{M} --no-parallel --parallel", "--parallel and --no-parallel are both given; give one of them"),
    ("mini", f"{M} --config a --config b", "--config is given 2 times (a, b); give one file"),
    ("mini", f"{M} --version 1", "mini has no versions; leave --version out"),
    ("aime", f"{M} --version 2023", "unknown version '2023' of aime; known: 2024, 2025, 2026"),
    ("hmmt", f"{M} --version 2025", "unknown version '2025' of hmmt"),
    # SRGen's parameters
    ("mini", f"{M} --times 0", "times must be at least 1 optimisation step, not 0"),
    ("mini", f"{M} --times many", "--times must be of type int, not 'many'"),
    ("mini", f"{M} --lr 0", "lr must be positive, not 0.0"),
    ("mini", f"{M} --lr inf", "lr must be positive, not inf"),
    ("mini", f"{M} --entropy_weight 2", "entropy_weight must lie in [0, 1], not 2.0"),
    ("mini", f"{M} --entropy_threshold -1", "entropy_threshold must be at least 0 nats, not -1.0"),
    ("mini", f"{M} --adaptive_entropy_N 1", "adaptive_entropy_N must be at least 2 tokens, not 1"),
    ("mini", f"{M} --adaptive_entropy_K -1", "adaptive_entropy_K must be at least 0, not -1.0"),
    ("mini", f"{M} --minimal_std -1", "minimal_std must be at least 0, not -1.0"),
    ("mini", f"{M} --minimal_threshold -1", "minimal_threshold must be at least 0 nats, not -1.0"),
    ("mini", f"{M} --max_retries -1", "max_retries must be at least 0, not -1"),
    ("mini", f"{M} --sketch_top -1", "sketch_top must be at least 0, not -1"),
    ("mini", f"{M} --reflection both", "--reflection must be one of"),
    # models
    ("mini", "--model_path nowhere/at/all", "there is no model folder at nowhere/at/all"),
    ("mini", "--model_path ./nowhere", "there is no model folder at ./nowhere"),
    ("mini", "--model_path /nowhere", "there is no model folder at /nowhere"),
    ("mini", "--model_path empty", "empty holds no model: there is no config.json in it"),
    ("mini", "--model_path file", "there is no model folder at file"),
    ("mini", "--model_path empty/model", "there is no model folder at empty/model"),
    # questions
    ("aime", f"{M} --dataset_path no.jsonl", "there is no dataset at no.jsonl"),
    ("aime", f"{M} --dataset_path q.txt", "q.txt is not a dataset that can be read: the file must end in .jsonl"),
    ("aime", f"{M} --dataset_path no-answer.jsonl", "row 1 of no-answer.jsonl has no field"),
    ("aime", f"{M} --dataset_path words.jsonl", "row 1 of words.jsonl: the answer 'one' is not an integer"),
    ("aime", f"{M} --dataset_path twice.jsonl", "row 2 of twice.jsonl has the identifier 'a' of an earlier row"),
    ("aime", f"{M} --dataset_path broken.jsonl", "broken.jsonl cannot be read as JSONL: line 2 is not JSON"),
    ("aime", f"{M} --dataset_path none.jsonl", "none.jsonl holds no questions"),
    ("aime", f"{M} --dataset_path numbers.json", "numbers.json must hold one object per question"),
    ("aime", f"{M} --dataset_path object.json", "object.json cannot be read as JSON: it must be a list of questions"),
    ("aime", f"{M} --dataset_path bad.parquet", "bad.parquet cannot be read as PARQUET"),
    ("gpqa", f"{M} --dataset_path q.jsonl", "row 1 of q.jsonl has no field"),
    # the YAML file
    ("mini", "--config none.yaml", "the config file none.yaml cannot be read: No such file"),
    ("mini", "--config empty", "the config file empty cannot be read: Is a directory"),
    ("mini", "--config unknown.yaml", "unknown key 'temprature' in unknown.yaml; did you mean 'temperature'?"),
    ("mini", "--config list.yaml", "list.yaml must hold one `flag: value` per line"),
    ("mini", "--config broken.yaml", "broken.yaml is not valid YAML"),
    ("mini", "--config type.yaml", "times in type.yaml must be of type int, not 'many'"),
    ("mini", "--config latin.yaml", "the config file latin.yaml cannot be read: it is not text"),
    # places
    ("mini", f"{M} --run_name ''", "--run_name must be the name of one folder, not ''"),
    ("mini", f"{M} --run_name ../x", "--run_name must be the name of one folder, not '../x'"),
    ("mini", f"{M} --run_name /tmp/x", "--run_name must be the name of one folder, not '/tmp/x'"),
    ("mini", f"{M} --run_name ..", "--run_name must be the name of one folder, not '..'"),
    ("mini", f"{M} --run_name a:b", "--run_name must be the name of one folder, not 'a:b'"),
    ("mini", f"{M} --output_dir file", "cannot be made (Not a directory); give another --output_dir"),
    ("mini", f"{M} --output_dir /proc/x", "cannot be made (No such file or directory); give another --output_dir"),
    (
        "mini",
        f"{M} --output_dir out --record_entropy --entropy_output_file empty",
        "empty cannot be written (Is a directory); give another --entropy_output_file",
    ),
    (
        "mini",
        f"{M} --output_dir out --record_entropy --entropy_output_file file/e.jsonl",
        "cannot be written (File exists); give another --entropy_output_file",
    ),
    # all benchmarks
    ("evaluators.__main__", "mimi", "unknown benchmark 'mimi'; did you mean 'mini'?"),
    ("evaluators.__main__", "", "usage: python -m evaluators NAME"),
    # compare
    ("evaluators.compare", "", "the following arguments are required: RUN"),
    ("evaluators.compare", "base", "takes a base and at least one other run: 1 given"),
    ("evaluators.compare", "base base", "base would be compared with itself"),
    ("evaluators.compare", "base srgen base srgen", "the pair base and srgen is given twice"),
    ("evaluators.compare", "base srgen srgen base", "the pair srgen and base is given twice"),
    ("evaluators.compare", "base nowhere", "nowhere does not exist"),
    ("evaluators.compare", "base empty", "is missing: runs are paired by question"),
    ("evaluators.compare", "base file", "questions.csv is missing"),
    ("evaluators.compare", "base average-four", "average must be a number of samples, not 'four'"),
    ("evaluators.compare", "base latin", "samples.jsonl, line 1, is damaged: 'utf-8' codec can't decode"),
    ("evaluators.compare", "base srgen --output_dir file", "File exists: 'file'"),
    ("evaluators.compare", "base srgen --plots", "unknown flag '--plots'; did you mean '--plot'?"),
    ("evaluators.compare", "base srgen --out x", "unknown flag '--out'; did you mean"),
    # report
    ("evaluators.report", "", "the following arguments are required: RUN"),
    ("evaluators.report", "nowhere", "nowhere does not exist"),
    ("evaluators.report", "base -o /", "/ is a folder; name the file, such as /report.html"),
    ("evaluators.report", "base -o empty", "empty is a folder; name the file, such as empty/report.html"),
    ("evaluators.report", "base -o file/r.html", "File exists: 'file'"),
    ("evaluators.report", "average-four", "average must be a number of samples, not 'four'"),
    ("evaluators.report", "latin", "samples.jsonl, line 1, is damaged: 'utf-8' codec can't decode"),
    # rescore
    ("evaluators.rescore", "", "the following arguments are required: RUN"),
    ("evaluators.rescore", "empty", "empty is not a run's directory: it has no config.yaml"),
    ("evaluators.rescore", "nowhere", "nowhere is not a run's directory"),
    ("evaluators.rescore", "base --grading_workers 0", "--grading_workers must be at least 1"),
    ("evaluators.rescore", "base --grading_timeout 0", "--grading_timeout positive seconds"),
    ("evaluators.rescore", "average-four", "config.yaml is damaged: average must be a number of samples, not 'four'"),
    ("evaluators.rescore", "average-none", "config.yaml is damaged: it has no 'average'"),
    ("evaluators.rescore", "not-yaml", "config.yaml is damaged"),
    ("evaluators.rescore", "config-empty", "config.yaml is damaged"),
    ("evaluators.rescore", "latin", "samples.jsonl, line 1, is damaged: 'utf-8' codec can't decode"),
    ("evaluators.rescore", "foreign", "is not a journal of this version: a line has no question_id, sample"),
    ("evaluators.rescore", "not-json", "samples.jsonl, line 1, is damaged"),
    ("evaluators.rescore", "list", "samples.jsonl, line 1, is damaged: it is not an object"),
    ("evaluators.rescore", "no-questions", "no-questions has no questions: questions.jsonl is missing or empty"),
    # the server
    (SERVE, "--config none.json", "cannot read none.json: No such file or directory"),
    (SERVE, "--config server.json", "unknown server setting 'prot'"),
    (SERVE, "--config broken.json", "broken.json is not JSON"),
    (SERVE, "--config numbers.json", "numbers.json must hold one JSON object"),
    (SERVE, "--port 99999", "port must be at most 65535, not 99999"),
    (SERVE, "--port http", "port must be of type int, not 'http'"),
    (SERVE, "--batch_size 0", "batch_size must be at least 1, not 0"),
    (SERVE, "--top_p 2", "top_p must lie in (0, 1], not 2.0"),
    (SERVE, "--temperature -1", "temperature must be at least 0, not -1.0"),
    (SERVE, "--times 0", "times must be at least 1 optimisation step, not 0"),
    (SERVE, "--prot 1", "unknown flag '--prot'; did you mean '--port'?"),
    # the console script
    ("evaluators.console", "", "usage:"),
    ("evaluators.console", "evla", "unknown command 'evla'; did you mean 'eval'?"),
    ("evaluators.console", "eval", "usage: python -m evaluators NAME"),
    ("evaluators.console", "eval --model_path m mini", "the benchmark's name comes first"),
    ("evaluators.console", "eval mini", "--model_path is missing"),
    ("evaluators.console", "list nowhere", "there is no folder nowhere; name the folder that --output_dir was given"),
    ("evaluators.console", "compare base", "takes a base and at least one other run: 1 given"),
    ("evaluators.console", "study nowhere.yaml", "nowhere.yaml cannot be read"),
    ("evaluators.console", "import nowhere --benchmark mini", "nowhere"),
    ("evaluators.console", "export nowhere --to csv", "nowhere is not a run's directory"),
    ("evaluators.console", "demo --statsu", "unknown flag '--statsu'; did you mean '--status'?"),
    ("srgen.demo_model", "--hepl", "unknown flag '--hepl'; did you mean '--help'?"),
]


@pytest.mark.parametrize("usage", USAGES, ids=[f"{c} {a}" for c, a, _ in USAGES])
def test_a_wrong_usage_is_one_sentence_and_status_2(
    usage: tuple[str, str, str],
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, arguments, says = usage
    monkeypatch.chdir(workspace)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    words = shlex.split(arguments)
    try:
        if "." in command:
            status = importlib.import_module(command).main(words)
        else:
            status = run_benchmark(benchmark_named(command), words)
    except SystemExit as end:  # of argparse
        status = end.code
    out, error = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert says in error
    assert "Traceback" not in error
    said = [line for line in error.splitlines() if not line.startswith("warning: ")]
    assert says.startswith("usage:") or (len(said) == 1 and said[0].startswith("error: ")), error


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(USAGES) == len({(command, arguments) for command, arguments, _ in USAGES}) >= 160
