"""README and docs/: every command is run, or stands below with the reason why not; the site builds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import srgen
from evaluators import cli, compare, report, rescore
from evaluators.benchmarks.registry import benchmark_named

ROOT = Path(__file__).resolve().parents[1]
BEFORE = ROOT / "tests" / "before_layout"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STARTS = re.compile(
    r"(?:\$ )?((?:\.venv/bin/)?python |bash |pip |ray |srgen (?! )|accelerate |sbatch |vllm |curl |git |[A-Z_]+=\S+ )"
)
ELSEWHERE = {
    "bash scripts/setup.sh": "installs; .ci/run begins with it",
    "bash scripts/test.sh": "it is what runs this test",
    "bash scripts/demo.sh": "minutes of generating; its steps are tests/test_mini.py's and tests/test_scripts.py's",
    "bash scripts/parallel_aime.sh": "tests/test_scripts.py runs it with a stand-in for python",
    "pip install": "installs",
    "ray start": "begins a cluster; tests/test_ray.py has one of its own",
    "python -m evaluators.aime --model_path MODEL --average 16 --launcher ray": "needs that cluster; tests/test_ray.py",
    "python -m evaluators.view": "serves until it is stopped; tests/test_view_live.py",
    "sbatch": "needs Slurm",
    "vllm serve": "needs vLLM; scripts/test_vllm.sh",
    "python -m srgen.serve_vllm": "needs vLLM; scripts/test_vllm.sh",
    "python -m evaluators.mini --model_path demo --backend vllm": "needs vLLM; scripts/test_vllm.sh",
    "python -m evaluators.aime --model_path MODEL --backend vllm": "needs vLLM; scripts/test_vllm.sh",
    "OMP_NUM_THREADS=1 python -m srgen.serve_vllm": "needs vLLM; scripts/test_vllm.sh",
    "python -m srgen.lm_eval": "needs lm-eval, which has an environment of its own; tests/plugins",
    "python -m training.pasr": "trains for minutes; tests/test_training.py",
    "accelerate launch": "needs several GPUs",
    "python -m evaluators.mini --model_path results/pasr-demo/model": "needs the model that the training makes",
    "python -m evaluators.compare results/": "compares the runs of the commands before it",
    "curl": "asks a server that runs; tests/test_server.py",
}
"""Commands that do not run here, by how they begin, and why."""
CHOICES = '{"question": "Which is a gas?\\nA: ice\\nB: steam", "answer": "B"}\n'
QUESTIONS = '{"problem": "1 + 1 = ?", "answer": 2}\n{"problem": "2 + 2 = ?", "answer": 4}\n'


def commands(page: Path) -> list[str]:
    """The commands of a page's code blocks, fenced or indented, without their comments."""
    text = re.sub(r" *\\\n\s*", " ", page.read_text())  # a command over several lines is one
    parts = re.split(r"^```.*$", text, flags=re.MULTILINE)  # outside, inside, outside, ...
    indented = "".join(re.findall(r"(?<=\n)    (?! ).*\n", "".join(parts[::2])))
    lines = [line.strip() for line in "\n".join([*parts[1::2], indented]).splitlines()]
    return [re.sub(r"\s+#\s.*", "", line).removeprefix("$ ") for line in lines if STARTS.match(line)]


FOUND = [
    pytest.param(command.replace(".venv/bin/", ""), id=f"{page.stem}: {command[:60]}")
    for page in PAGES
    if page.stem != "extending"  # tests/test_extending.py runs that page as a whole
    for command in commands(page)
]


@pytest.mark.parametrize("command", FOUND)
def test_a_command_runs_as_it_is_written(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark's command up to generating (`--dry_run`), MODEL being the embedded one; the others as a whole."""
    if any(command.startswith(start) for start in ELSEWHERE):
        return
    monkeypatch.chdir(tmp_path)
    for name in ("base", "srgen"):
        shutil.copytree(BEFORE / name, tmp_path / name)
    (tmp_path / "my_questions.jsonl").write_text(QUESTIONS)
    (tmp_path / "my_choices.jsonl").write_text(CHOICES)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    named = {
        "BASE_RUN": "base",
        "SRGEN_RUN": "srgen",
        "PASR_RUN": "srgen",
        "TRAINED_RUN": "srgen",
        "RUN": "base",
        "BASE": "base",
        "SRGEN": "srgen",
        "MODEL": "demo",
    }
    words = [named.get(word, word) for word in shlex.split(command)]
    assert words[:2] == ["python", "-m"], f"{command!r} is neither run here nor named in ELSEWHERE"
    module, arguments = words[2], words[3:]
    if module in ("evaluators.compare", "evaluators.report", "evaluators.rescore"):
        tool = {"compare": compare, "report": report, "rescore": rescore}[module.removeprefix("evaluators.")]
        assert tool.main(arguments) == 0
    elif module.startswith("evaluators.") and module != "evaluators.grading":
        if "--dataset_path" not in arguments and not module.endswith(".mini"):
            arguments += ["--dataset_path", "my_questions.jsonl"]
        if "--version" not in arguments or "--dataset_path" in arguments:
            arguments += ["--dry_run"]
        assert cli.main(benchmark_named(module.removeprefix("evaluators.")), arguments) == 0
    else:
        subprocess.run(
            [sys.executable, *words[1:]], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=120
        )


def test_every_reason_has_a_command() -> None:
    found = [str(param.values[0]) for param in FOUND]
    for start in ELSEWHERE:
        assert any(command.startswith(start) for command in found), f"no page has a command that begins {start!r}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "api" / "index.html").read_text()
    for name in ("srgen.generate", "srgen.SRGenConfig", "srgen.SRGenLogitsProcessor", "evaluators.grading.grade"):
        assert f'id="{name}"' in page, name


def test_every_page_is_in_the_sites_navigation() -> None:
    text = re.sub(r"!!python/name:\S+", "", (ROOT / "mkdocs.yml").read_text())
    listed = re.findall(r"\b[\w/]+\.md\b", str(yaml.safe_load(text)["nav"]))
    assert sorted(listed) == sorted(page.name for page in PAGES if page.name != "README.md")


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == srgen.__version__ == citation["version"]
    assert f"## {srgen.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    shown = subprocess.run(
        [sys.executable, "-m", "srgen", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert shown == f"srgen {srgen.__version__}\n"
