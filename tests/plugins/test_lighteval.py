"""lighteval with SRGen's custom model: the real package's own command, the embedded model, and its details imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tasks import PROBLEMS, SYSTEM, engine_tokens

from srgen.config import SRGenConfig

pytest.importorskip("lighteval")
HERE = Path(__file__).resolve().parent
MODEL_FILE = HERE.parents[1] / "srgen" / "plugins" / "lighteval.py"
TRIGGERS = {"entropy_threshold": 1.0, "adaptive_entropy": False, "max_retries": 3}


def run(tmp_path: Path, arguments: str) -> subprocess.CompletedProcess[str]:
    data = tmp_path / "task"
    data.mkdir()
    (data / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    command = [
        sys.executable,
        "-m",
        "lighteval",
        "custom",
        f"demo,device=cpu,dtype=float32,{arguments}",
        str(MODEL_FILE),
    ]
    command += ["srgen_local|0", "--custom-tasks", str(HERE / "lighteval_tasks.py"), "--save-details"]
    return subprocess.run(
        [*command, "--output-dir", str(tmp_path / "out")],
        env={**os.environ, "SRGEN_TASK": str(data), "PYTHONPATH": str(HERE), "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("srgen", [None, TRIGGERS], ids=["base", "srgen"])
def test_the_same_tokens_as_the_engine(srgen: dict[str, object] | None, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    said = ",".join(f"{name}={value}" for name, value in (srgen or {"use_entropy_control": False}).items())
    done = run(tmp_path, said)
    assert done.returncode == 0, done.stderr[-2000:]
    (details,) = (tmp_path / "out").rglob("details_*.parquet")
    # lighteval asks the longest first.
    order = [row["problem"] for row in PROBLEMS]
    rows = sorted(pq.read_table(details).to_pylist(), key=lambda row: order.index(row["doc"]["query"]))
    expected = engine_tokens(SRGenConfig(**srgen) if srgen else None, [SYSTEM + row["problem"] for row in PROBLEMS])  # type: ignore[arg-type]
    responses = [row["model_response"] for row in rows]
    assert [tuple(response["output_tokens"][0]) for response in responses] == [one.token_ids for one in expected]
    assert [response["text"][0] for response in responses] == [one.text for one in expected]
    logged = [json.loads(row["doc"]["specific"]["srgen"])[0]["reflections"] for row in rows]
    assert [len(reflections) for reflections in logged] == [len(one.reflections) for one in expected]
    assert any(logged) == (srgen is not None)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "time=3")
    assert done.returncode != 0
    assert "unknown model argument 'time'; did you mean 'times'" in done.stdout + done.stderr
