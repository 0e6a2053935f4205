"""Imports go one way between the rooms of the packages (docs/architecture.md), never back nor in a circle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))
if TYPE_CHECKING:
    from scripts.measure_layout import imports, modules
else:
    from measure_layout import imports, modules

EVALUATORS = (
    ("viewer",),
    ("study",),
    ("cli", "report"),
    ("exchange", "running"),
    ("presentation",),
    ("analysis",),
    ("grading", "records"),
    ("settings",),
    ("benchmarks",),
)
"""From above to below; rooms of one line do not import each other. The commands, files in evaluators/, stand above."""
SRGEN = (
    ("plugins", "server"),
    ("engines",),
    ("tnot_decorator",),
    ("engines.released.tnot_pass", "engines.released.tnot_settings"),
    ("logits_processor",),
    ("methods",),
    ("method",),
    ("chat", "thinking", "overrides", "demo_model"),
    ("engines.base",),
    ("methods.contract",),
    ("config",),
    ("command_line",),
    ("suggest", "discovery", "yaml_file"),
    ("errors", "extras", "field_docs"),
)
"""The same for srgen; its other files, `api` and the commands, stand above."""
TRAINING = (
    ("pasr",),
    ("grpo", "warm_up"),
    ("trainer_arguments", "vllm_mode", "format_rate"),
    ("model", "questions"),
    ("session",),
    ("arithmetic", "checkpoints", "metrics", "reward", "settings"),
)
"""The same for training, whose modules are its rooms."""
TAKEN_BY_TRAINING = ("evaluators.benchmarks", "evaluators.grading")
"""All that training takes of evaluators."""
ONLY = {
    "evaluators.settings": ("evaluators.benchmarks.benchmark", "evaluators.benchmarks.data_config"),
    "evaluators.grading": ("evaluators.benchmarks.benchmark",),
}
"""All that these rooms may take from evaluators.benchmarks."""


def place(module: str) -> tuple[int, str]:
    """How deep a module stands in its package, from 0 for the commands, and its room."""
    package, _, inside = module.partition(".")
    layers = {"evaluators": EVALUATORS, "srgen": SRGEN, "training": TRAINING}[package]
    depths = {room: depth for depth, rooms in enumerate(layers, 1) for room in rooms}
    around = [room for room in depths if f"{inside}.".startswith(f"{room}.")]
    if around:
        room = max(around, key=len)
        return depths[room], f"{package}.{room}"
    assert "." not in inside, f"{module} lies in a folder that has no place in tests/test_layout.py"
    return 0, package


def faults(root: Path) -> list[str]:
    """Every import that goes against the arrows."""
    found = []
    for module, targets in imports(root).items():
        depth, room = place(module)
        for target in targets:
            below, other = place(target)
            package, of_target = module.partition(".")[0], target.partition(".")[0]
            if package == "srgen" and of_target == "evaluators":
                found.append(f"{module} imports {target}: srgen knows nothing of evaluators")
            elif of_target == "training" != package:
                found.append(f"{module} imports {target}: {package} knows nothing of training")
            elif package == "training" and of_target == "evaluators" and other not in TAKEN_BY_TRAINING:
                found.append(f"{module} imports {target}: training takes {' and '.join(TAKEN_BY_TRAINING)} only")
            elif package == of_target and (below < depth or (below == depth and below > 0 and room != other)):
                found.append(f"{module} imports {target}: {room} stands below or beside {other}")
            elif f"{target}.".startswith(("srgen.method.", "srgen.server")) and package != "srgen":
                found.append(f"{module} imports {target}: logits and servers are srgen's own affair")
            elif other == "evaluators.benchmarks" and target not in ONLY.get(room, (target,)):
                found.append(f"{module} imports {target}: {room} takes {' and '.join(ONLY[room])} only")
    return sorted(found)


def test_imports_follow_the_arrows() -> None:
    assert faults(ROOT) == []


def test_no_import_goes_in_a_circle() -> None:
    graph = imports(ROOT)
    # A package's `__init__` offers names of its own modules, and its modules take others from it.
    apart = {name: {t for t in targets if not name.startswith(t + ".")} for name, targets in graph.items()}
    TopologicalSorter(apart).prepare()


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("srgen/config.py", "import evaluators"),
        ("srgen/method/entropy.py", "from srgen.engines.transformers import engine"),
        ("srgen/engines/openai.py", "from srgen.server.settings import ServerConfig"),
        ("evaluators/benchmarks/fields.py", "from evaluators.settings.run_config import RunConfig"),
        ("evaluators/settings/sources.py", "from evaluators.benchmarks.questions import load_questions"),
        ("evaluators/records/journal.py", "def late():\n    from evaluators.running.workers import Done"),
        ("evaluators/records/reading.py", "from evaluators.grading import grade"),
        ("evaluators/analysis/metrics.py", "from evaluators.presentation import plots"),
        ("evaluators/analysis/power.py", "from evaluators import compare"),
        ("evaluators/running/run.py", "from srgen.method.processor import SRGenProcessor"),
        ("srgen/api.py", "def late():\n    import training.pasr"),
        ("evaluators/grading/grade.py", "from training.reward import reward_of"),
        ("training/grpo.py", "from evaluators.running.run import run"),
        ("training/reward.py", "from training.model import load_model"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, module: str, forbidden: str) -> None:
    for package in ("srgen", "evaluators", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert faults(tmp_path) == faults(ROOT)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{forbidden}\n")
    (fault,) = faults(tmp_path)
    assert fault.startswith(module.removesuffix(".py").replace("/", "."))


def test_every_room_says_what_lives_in_it() -> None:
    for name, path in modules(ROOT).items():
        if path.name == "__init__.py":
            summary, _, rest = (path.read_text().split('"""')[1]).partition("\n\n")
            assert summary.strip() and rest.strip(), f"{name}: what lives there, a blank line, what may not"


def test_import_srgen_leaves_torch_alone() -> None:
    code = "import srgen, sys; print([m for m in ('torch', 'transformers', 'pandas') if m in sys.modules])"
    code += "; print(srgen.SRGenLogitsProcessor.__module__)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split("\n")[:2] == ["[]", "srgen.logits_processor"]
