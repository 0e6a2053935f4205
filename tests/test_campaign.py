"""Campaigns: two runs sampled in rounds until their comparison is settled."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from scripted_campaign import COUNT, MOST, campaign, start
from scripted_engine import Script
from scripted_run import lines, plan, run, run_config, samples, wait_for

from evaluators import mini
from evaluators.cli import main as benchmark
from evaluators.compare import main as compare
from evaluators.records.reading import read_run
from evaluators.records.schema import Sample
from evaluators.records.stopped import Stopped, stopped
from evaluators.running.campaign import Campaign

HELPED = {"helped": 0.7, "median_steps": 5, "step_seconds": 0.002, "batch_size": 2}


def decided(printed: str) -> tuple[str, str]:
    """The verdict, and the sentence on the round."""
    verdict = re.search(r"^(SRGen is .*|not settled.*)$", printed, re.MULTILINE)
    note = re.search(r"sequential: .* lost;", printed)
    assert verdict, printed
    assert note, printed
    return verdict[0], note[0]


def test_a_campaign_stops_at_the_round_that_settles_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign(tmp_path, Script(median_steps=3, step_seconds=0, batch_size=8, helped=0.7)) == 0
    first = decided(capsys.readouterr().out)
    mark = stopped(tmp_path / "srgen")
    assert mark == stopped(tmp_path / "base")
    assert mark
    assert mark.rounds
    assert 1 < mark.rounds < MOST
    assert first[0].startswith("SRGen is better on these questions (p ")
    assert f"settled after round {mark.rounds} of" in first[1]
    run_of = read_run(tmp_path / "srgen")
    assert run_of.samples_per_question == mark.rounds
    assert len(run_of.counted) == COUNT * mark.rounds <= len(samples(tmp_path / "srgen"))

    # Again: nothing is loaded, and it says the same; so does `compare`, which knows that the runs were looked at.
    before = lines(tmp_path)
    assert campaign(tmp_path, Script(unusable="nothing is to be loaded")) == 0
    again = capsys.readouterr().out
    assert decided(again)[0] == first[0]
    assert f"settled after round {mark.rounds} of" in again
    assert lines(tmp_path) == before
    runs = [str(tmp_path / "base"), str(tmp_path / "srgen")]
    assert compare([*runs, "--output_dir", str(tmp_path)]) == 0
    assert decided(capsys.readouterr().out)[0] == first[0]


def test_a_campaign_that_is_killed_half_way_ends_as_an_undisturbed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Script(**(HELPED | {"step_seconds": 0, "batch_size": 8}))  # type: ignore[arg-type]
    assert campaign(tmp_path / "undisturbed", quick) == 0
    expected = decided(capsys.readouterr().out)
    mark = stopped(tmp_path / "undisturbed" / "srgen")
    assert mark
    assert mark.rounds
    disturbed = tmp_path / "disturbed"
    for part in (1, 2):
        process = start(disturbed, **HELPED)
        wait_for(lambda part=part: lines(disturbed) >= part * COUNT * mark.rounds // 2)  # type: ignore[misc]
        process.kill()
        process.communicate()
        assert stopped(disturbed / "srgen") == Stopped(None), "compare knows that somebody looks at it"
    process = start(disturbed, **HELPED)
    output, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert decided(output)[0] == expected[0]
    assert stopped(disturbed / "srgen") == stopped(disturbed / "base") == mark
    kept = [
        sorted((s.question_id, s.sample, s.response) for s in read_run(folder / arm).counted)
        for folder in (disturbed, tmp_path / "undisturbed")
        for arm in ("base", "srgen")
    ]
    assert kept[:2] == kept[2:]


def test_a_campaign_without_an_effect_takes_all_rounds_or_ends_for_futility(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Script(median_steps=3, step_seconds=0, batch_size=16)
    assert campaign(tmp_path / "a", quick) == 0
    assert decided(capsys.readouterr().out)[0].startswith(f"not settled after {MOST} rounds")
    assert stopped(tmp_path / "a" / "base") == Stopped(MOST)
    assert campaign(tmp_path / "b", quick, smallest_effect=20) == 0
    verdict, note = decided(capsys.readouterr().out)
    assert re.fullmatch(r"SRGen is better by less than [\d.]+ points, if at all, on these questions", verdict)
    assert "stopped for futility" in note
    mark = stopped(tmp_path / "b" / "base")
    assert mark
    assert mark.rounds
    assert (mark.rounds < MOST, mark.smallest_effect) == (True, 20)


def test_a_run_goes_on_to_its_k_after_a_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = Script(median_steps=3, step_seconds=0, batch_size=16, helped=0.7)
    assert campaign(tmp_path, quick) == 0
    capsys.readouterr()
    assert run(tmp_path / "srgen", quick, count=COUNT, config=run_config(average=MOST)) == 0
    assert f"x {MOST} samples = {COUNT * MOST}" in capsys.readouterr().out
    assert stopped(tmp_path / "srgen") is None
    # The other way round: a run of all its samples stays one, whatever a campaign needs of it.
    assert campaign(tmp_path, quick) == 0
    assert read_run(tmp_path / "srgen").samples_per_question == MOST
    mark = stopped(tmp_path / "base")
    assert mark
    assert mark.rounds
    assert read_run(tmp_path / "base").samples_per_question == mark.rounds < MOST


def test_only_complete_rounds_count(tmp_path: Path) -> None:
    """Samples of later rounds, which finish early when they are short, change no decision."""
    config = run_config(average=MOST)
    other = plan(tmp_path / "srgen", COUNT, config, "srgen")
    base = dataclasses.replace(other, config=dataclasses.replace(config, srgen=None), directory=tmp_path / "base")
    looking = Campaign(base, other)

    def sample(question: int, index: int, *, correct: bool) -> Sample:
        return dataclasses.replace(example, question_id=f"q{question}", sample=index, correct=correct)

    assert run(tmp_path / "example", Script(median_steps=1, step_seconds=0), count=1, config=run_config(average=1)) == 0
    example = Sample.from_json(samples(tmp_path / "example")[0])
    for index in range(MOST):
        looking.written(base, [sample(q, index, correct=False) for q in range(COUNT)])
        looking.written(other, [sample(q, index, correct=q < 10) for q in range(COUNT - 1)])
    assert looking.decision is None
    looking.written(other, [sample(COUNT - 1, 0, correct=False)])
    assert looking.decision
    assert (looking.decision.rounds, looking.settled) == (1, False)
    looking.written(other, [sample(COUNT - 1, 1, correct=False)])
    assert (looking.decision.rounds, looking.settled) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--until_settled", "--average", "8"], "give one, such as --method srgen"),
        (["--until_settled", "--method", "srgen"], "give the most of them, such as --average 64"),
        (["--method", "srgen", "--smallest_effect", "3"], "--smallest_effect goes with --until_settled"),
        (
            ["--until_settled", "--method", "srgen", "--average", "8", "--smallest_effect", "0"],
            "--smallest_effect is in points, above 0",
        ),
    ],
)
def test_mistakes_are_told(arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--model_path", "demo", "--output_dir", str(tmp_path), "--dry_run"]
    assert benchmark(mini.BENCHMARK, [*common, *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_dry_run_names_both_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--model_path", "demo", "--output_dir", str(tmp_path), "--dry_run"]
    assert benchmark(mini.BENCHMARK, [*common, "--method", "srgen", "--average", "8", "--until_settled"]) == 0
    base, other = capsys.readouterr().out.split()
    assert benchmark(mini.BENCHMARK, [*common, "--average", "8"]) == 0
    assert capsys.readouterr().out.strip() == base
    assert "srgen-k8" in other
