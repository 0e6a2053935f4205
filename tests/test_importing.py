"""Other tools' generations as run folders."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from synthetic_runs import drawn_run, lines

from evaluators.analysis.configurations import configuration_notes
from evaluators.analysis.summary_rows import read_summary
from evaluators.benchmarks.benchmark import Question
from evaluators.compare import compare_pairs
from evaluators.compare import main as compare
from evaluators.exchange.generation import Generation
from evaluators.exchange.matching import Matcher, row_hash
from evaluators.importing import main
from evaluators.presentation.comparison_remarks import remarks
from evaluators.records.provenance import questions_hash
from evaluators.records.reading import read_run
from evaluators.report import main as report
from evaluators.rescore import main as rescore

DATA = [
    {"id": "g-0", "problem": "Ann has 3 apples and buys 4 more. How many has she?", "answer": "7"},
    {"id": "g-1", "problem": "A train has 5 cars with 6 seats each. How many seats are there?", "answer": "30"},
    {"id": "g-2", "problem": "Of 20 birds half fly away. How many stay on the roof?", "answer": "10"},
]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text(lines(DATA))
    return path


@pytest.fixture
def bring(tmp_path: Path, dataset: Path) -> Iterator[Callable[..., Path | str]]:
    """Import into a folder `run`: the folder, or where it fails what standard error says."""
    capsys: list[str] = []

    def call(source: Path, *arguments: str, name: str = "run") -> Path | str:
        import contextlib
        import io

        errors = io.StringIO()
        place = ["--benchmark", "gsm8k", "--dataset_path", str(dataset), "--output_dir", str(tmp_path / "results")]
        with contextlib.redirect_stderr(errors):
            status = main([str(source), *place, "--model", "m", "--run_name", name, *arguments])
        capsys.append(errors.getvalue())
        return tmp_path / "results" / "gsm8k-questions" / "m" / name if status == 0 else errors.getvalue()

    yield call
    assert not [path for path in (tmp_path / "results").rglob("*") if path.name.startswith(".run")], (
        "nothing half-written"
    )


def file(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def statuses(run: Path) -> dict[tuple[str, int], str]:
    return {key: sample.status for key, sample in read_run(run).samples.items()}


def boxed(*answers: int) -> list[str]:
    return [f"So it is \\boxed{{{answer}}}." for answer in answers]


ROWS = [
    {"question_id": "g-0", "sample": 0, "response": boxed(7)[0], "correct": False, "finish_reason": "length"},
    {"question_id": "g-0", "sample": 1, "response": boxed(8)[0], "correct": False, "tokens": 9},
    {"question_id": "g-1", "sample": 0, "response": boxed(30)[0], "correct": True},
]


def test_plain_lines_are_matched_by_identifier_and_graded(tmp_path: Path, bring: Callable[..., Path]) -> None:
    run = bring(file(tmp_path, "r.jsonl", lines(ROWS)), "--method", "Greedy")
    assert statuses(run) == {("g-0", 0): "correct", ("g-0", 1): "incorrect", ("g-1", 0): "correct"}
    summary = read_summary(run)
    assert (summary.method, summary.k, summary.questions, summary.missing) == ("Greedy", 2, 3, 3)
    assert summary.tokens == 9
    assert read_run(run).samples["g-0", 0].finish_reason == "length"


def test_the_sources_verdicts_stand_beside_ours(
    tmp_path: Path, bring: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = bring(file(tmp_path, "r.jsonl", lines(ROWS)))
    expected = "the source's own grader: 1 of 3 right (33.3 %); ours: 2 (66.7 %); they differ on 1"
    assert expected in capsys.readouterr().out
    assert rescore([str(run)]) == 0
    printed = capsys.readouterr().out
    assert expected in printed
    assert "g-0, sample 0: incorrect there, correct (7) here" in printed


def test_an_imported_run_is_compared_and_reported(tmp_path: Path, bring: Callable[..., Path]) -> None:
    one = bring(file(tmp_path, "r.jsonl", lines(ROWS)))
    better = [{**row, "response": boxed(7 if row["question_id"] == "g-0" else 30)[0]} for row in ROWS]
    other = bring(file(tmp_path, "s.jsonl", lines(better)), name="run2")
    assert compare([str(one), str(other), "--output_dir", str(tmp_path / "c")]) == 0
    assert report([str(one), str(other), "-o", str(tmp_path / "r.html")]) == 0


def test_columns_by_their_own_names_and_lists_of_responses(tmp_path: Path, bring: Callable[..., Path]) -> None:
    rows = [{"qq": DATA[1]["problem"], "said": boxed(30, 31), "n": [4, 5], "gold": "30"}]
    run = bring(file(tmp_path, "r.jsonl", lines(rows)), "--columns", "question=qq,response=said,tokens=n")
    assert statuses(run) == {("g-1", 0): "correct", ("g-1", 1): "incorrect"}
    assert [sample.generated_tokens for sample in read_run(run).samples.values()] == [4, 5]


def test_csv_and_parquet(tmp_path: Path, bring: Callable[..., Path]) -> None:
    table = pa.Table.from_pylist([{"id": "2", "response": boxed(10)[0]}, {"id": "1", "response": None}])
    pq.write_table(table, tmp_path / "r.parquet")
    text = 'id,sample,response\ng-2,0,"So,\nit is \\boxed{10}."\ng-1,0,\n'
    for name, source in (("a", tmp_path / "r.parquet"), ("b", file(tmp_path, "r.csv", text))):
        run = bring(source, name=name)
        expected = {("g-2", 0): "correct", ("g-1", 0): "failed" if name == "a" else "no_answer"}
        assert statuses(run) == expected


def test_only_answered_leaves_the_other_questions_out(tmp_path: Path, bring: Callable[..., Path]) -> None:
    summary = read_summary(bring(file(tmp_path, "r.jsonl", lines(ROWS)), "--only_answered"))
    assert (summary.questions, summary.missing) == (2, 1)


def test_a_question_inside_a_longer_text_is_found() -> None:
    questions = [
        Question(id=str(n), prompt=str(row["problem"]), gold="1", kind="numeric") for n, row in enumerate(DATA)
    ]
    matcher = Matcher(questions, DATA)

    def found(**values: Any) -> str | None:
        question = matcher.question_of(Generation(where="", response="", **values))
        return question.id if question else None

    assert found(question=f"Solve:  {DATA[2]['problem']}\nBox the answer.") == "2"
    assert found(question=f"{DATA[0]['problem']} {DATA[1]['problem']}") is None
    assert found(question=DATA[1]["problem"], keys=("0",)) == "1", "another numbering gives way to the text"
    assert matcher.by_id_alone == 0
    assert found(question="In other words?", keys=("0",)) == "0"
    assert matcher.by_id_alone == 1
    assert found(keys=(row_hash(DATA[2]),)) == "2"


def test_among_questions_of_the_same_text_the_identifier_decides() -> None:
    text = "What is three and four together?"
    questions = [Question(id=f"q-{n}", prompt=text, gold="7", kind="integer") for n in range(3)]
    matcher = Matcher(questions)
    for keys, expected in {("q-1",): "q-1", ("q-2",): "q-2", ("another",): "q-0", (): "q-0"}.items():
        for asked in (text, f"Solve: {text}"):
            found = matcher.question_of(Generation(where="", response="", question=asked, keys=keys))
            assert found is not None
            assert found.id == expected
    assert matcher.by_id_alone == 0


def lm_eval_row(number: int, responses: list[str], name: str, right: float) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": DATA[number],
        "target": f"So it is.\n#### {DATA[number]['answer']}",
        "arguments": {"gen_args_0": {"arg_0": "...", "arg_1": {}}},
        "resps": [responses],
        "filtered_resps": ["7"],
        "filter": name,
        "metrics": ["exact_match"],
        "exact_match": right,
        "doc_hash": "0",
    }


def test_lm_eval_with_two_filters(tmp_path: Path, bring: Callable[..., Path]) -> None:
    rows = [lm_eval_row(n, boxed(7), name, right) for name, right in (("strict", 0.0), ("loose", 1.0)) for n in (0, 1)]
    source = file(tmp_path, "samples_g_1.jsonl", lines(rows))
    verdicts = [json.loads(line) for line in (bring(source) / "source_verdicts.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in verdicts] == [False, False]
    loose = bring(source, "--verdicts_of", "loose", name="loose")
    assert '"correct": true' in (loose / "source_verdicts.jsonl").read_text()
    assert statuses(loose) == {("g-0", 0): "correct", ("g-1", 0): "incorrect"}


def test_lm_eval_with_several_responses_has_no_single_verdict(tmp_path: Path, bring: Callable[..., Path]) -> None:
    run = bring(file(tmp_path, "samples_g_1.jsonl", lines([lm_eval_row(0, boxed(7, 8, 7), "none", 1.0)])))
    assert list(statuses(run).values()) == ["correct", "incorrect", "correct"]
    assert not (run / "source_verdicts.jsonl").exists()


def test_lighteval_details(tmp_path: Path, bring: Callable[..., Path]) -> None:
    rows = [
        {
            "doc": {"id": str(n), "query": f"{row['problem']}\nAnswer:", "choices": [row["answer"]], "gold_index": [0]},
            "metric": {"extractive_match": float(n == 1)},
            "model_response": {"text": boxed(7), "input_tokens": [1, 2], "output_tokens": [[1, 2, 3]]},
        }
        for n, row in enumerate(DATA)
    ]
    path = tmp_path / "details_g_2026.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    run = bring(path)
    assert list(statuses(run).values()) == ["correct", "incorrect", "incorrect"]
    assert read_summary(run).tokens == 9
    assert read_run(run).samples["g-0", 0].prompt_tokens == 2
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "is cut off or not parquet" in str(bring(path, name="run3"))


def problem(number: int) -> dict[str, Any]:
    return {
        "idx": number + 1,
        "problem": DATA[number]["problem"],
        "gold_answer": DATA[number]["answer"],
        "answers": ["7", "None"],
        "correct": [True, False],
        "messages": [
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": boxed(7)[0]}],
            [{"role": "user", "content": "?"}, {"role": "assistant", "type": "cot", "content": "hm"}],
        ],
        "detailed_costs": [
            {"input_tokens": 3, "output_tokens": 5, "time": 1.5},
            {"input_tokens": 3, "output_tokens": 4},
        ],
    }


def test_matharena_problems_plain_and_compressed(tmp_path: Path, bring: Callable[..., Path]) -> None:
    folder = tmp_path / "outputs" / "model-x"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(problem(0)))
    (folder / "2.json.zst").write_bytes(pa.compress(json.dumps(problem(1)).encode(), "zstd", asbytes=True))
    run = bring(folder)
    assert list(statuses(run).values()) == ["correct", "failed", "incorrect", "failed"]
    assert read_summary(run).tokens == 18


def inspect_log(version: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header = {"version": version, "eval": {"task": "g", "model": "srgen/demo"}, "status": "success"}
    samples = [
        {
            "id": n + 1,
            "epoch": epoch,
            "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "attachment://abc"}],
            "attachments": {"abc": DATA[n]["problem"]},
            "target": DATA[n]["answer"],
            "output": {
                "choices": [
                    {"message": {"content": [{"type": "text", "text": boxed(7)[0]}]}, "stop_reason": "max_tokens"}
                ],
                "usage": {"input_tokens": 4, "output_tokens": 6},
            },
            "scores": {"match": {"value": "I", "answer": "seven"}},
        }
        for n in (0, 1)
        for epoch in (1, 2)
    ]
    return header, samples


def test_inspect_logs_of_both_kinds(tmp_path: Path, bring: Callable[..., Path]) -> None:
    header, samples = inspect_log()
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(header))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    log = file(tmp_path, "log.json", json.dumps({**header, "samples": samples}))
    for name, source in (("a", tmp_path / "log.eval"), ("b", log)):
        run = bring(source, name=name)
        assert list(statuses(run).values()) == ["correct", "correct", "incorrect", "incorrect"]
        assert read_summary(run).truncated == 4
        assert '"answer": "seven"' in (run / "source_verdicts.jsonl").read_text()


def test_a_journal_of_another_machine_gives_the_same_metrics(tmp_path: Path) -> None:
    run = drawn_run(tmp_path / "there", questions=6, k=3, srgen=True)
    arguments = ["--questions_from", str(run), "--output_dir", str(tmp_path / "results"), "--run_name", "here"]
    assert rescore([str(run)]) == 0
    assert main([str(run), *arguments]) == 0
    here = tmp_path / "results" / "aime-2024" / "tiny-1B" / "here"
    for name in ("summary.csv", "questions.csv"):
        there = (run / name).read_text().replace("abc", str(read_run(here).config["questions_hash"]))
        assert (here / name).read_text() == there


def test_the_record_says_what_the_source_says_and_no_more(tmp_path: Path, bring: Callable[..., Path]) -> None:
    source = file(tmp_path, "a.jsonl", '{"id": "g-0", "response": "\\\\boxed{7}", "reasoning_content": "3 + 4"}\n')
    run = read_run(bring(source, "--method", "theirs"))
    assert run.config["run"]["model"] == {"model_path": "m"}
    assert not run.config["run"]["data"].keys() & {"system_prompt", "prompt_role", "prefix", "few_shot"}
    assert not run.config.keys() & {"versions", "hardware", "git_commit"}
    assert "sympy" in run.config["imported"]["versions"]  # of what graded it here
    assert next(iter(run.samples.values())).reasoning == "3 + 4"


def test_a_journal_of_another_machine_keeps_its_surroundings(tmp_path: Path) -> None:
    run = drawn_run(tmp_path / "there", questions=2, k=1)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config |= {"versions": {"torch": "9.9"}, "hardware": {"gpus": ["A100"]}, "git_commit": "abc"}
    config["run"]["model"]["dtype"] = "float16"
    config["run"]["data"] |= {"system_prompt": "Solve it.", "eval_samples": 2}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = ["--questions_from", str(run), "--output_dir", str(tmp_path / "results"), "--run_name", "here"]
    assert main([str(run), *arguments]) == 0
    here = tmp_path / "results" / "aime-2024" / "tiny-1B" / "here"
    assert configuration_notes(run, here) == configuration_notes(here, run) == []
    kept = read_run(here).config
    assert {name: kept[name] for name in ("versions", "hardware", "git_commit")} == {
        name: config[name] for name in ("versions", "hardware", "git_commit")
    }


def test_a_comparison_says_what_an_import_does_not_tell(tmp_path: Path) -> None:
    ours = drawn_run(tmp_path / "there", questions=2, k=1)
    config = yaml.safe_load((ours / "config.yaml").read_text())
    config["questions_hash"] = questions_hash(read_run(ours).questions)
    (ours / "config.yaml").write_text(yaml.safe_dump(config))
    rows = [{"id": key[0], "response": item.response} for key, item in read_run(ours).samples.items()]
    source = file(tmp_path, "a.jsonl", lines(rows))
    places = ["--questions_from", str(ours), "--output_dir", str(tmp_path / "results"), "--run_name", "here"]
    assert main([str(source), *places, "--model", "tiny-1B"]) == 0
    here = tmp_path / "results" / "aime-2024" / "tiny-1B" / "here"
    assert rescore([str(ours)]) == 0
    notes = remarks(compare_pairs([here, ours])[0])
    told = [note for note in notes if "first run" in note]
    assert "the sampling of the first run is not known" in told
    untold = "the prompt, the model's settings, the device, the libraries' versions, the hardware, the commit"
    assert f"the first run is imported; not known of it: {untold}" in told
    assert not any("besides the method" in note for note in notes)


def test_tags_that_nobody_reads_are_told(tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = '{"id": "g-0", "response": "<think>3 + 4</think><answer>7</answer>"}\n'
    source = file(tmp_path, "a.jsonl", row)
    place = ["--benchmark", "gsm8k", "--dataset_path", str(dataset), "--output_dir", str(tmp_path), "--model", "m"]
    assert main([str(source), *place, "--run_name", "free"]) == 0
    assert "1 responses have an answer in <answer> tags, which were not read" in capsys.readouterr().err
    assert main([str(source), *place, "--run_name", "tags", "--answer_format", "tags"]) == 0
    assert "tags" not in capsys.readouterr().err
    assert statuses(tmp_path / "gsm8k-questions" / "m" / "tags")["g-0", 0] == "correct"


BAD = {
    "a line that is not JSON": (
        '{"id": "g-0", "response": "7"}\n{"id": \n{"id": "g-1", "response": "3"}\n',
        "line 2, is not JSON",
    ),
    "two responses for one sample": (
        '{"id": "g-0", "sample": 0, "response": "7"}\n' * 2,
        "two responses for question g-0, sample 0",
    ),
    "an unknown id": (
        '{"id": "g-0", "response": "7"}\n{"id": "g-9", "response": "7"}\n',
        "none of the benchmark's: g-9",
    ),
    "an index that is none": (
        '{"id": "g-0", "sample": -1, "response": "7"}\n',
        "line 1: the sample must be a whole number",
    ),
    "no response": ('{"id": "g-0", "said": "7"}\n', "no column for the response"),
    "numbered from one": ('{"id": "g-0", "sample": 1, "response": "7"}\n', "--first_sample"),
    "an empty file": ("", "is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(case: str, tmp_path: Path, bring: Callable[..., str]) -> None:
    text, expected = BAD[case]
    said = bring(file(tmp_path, "r.jsonl", text))
    assert isinstance(said, str)
    assert expected in said
    assert said.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_unknown_questions_may_be_left_out_and_are_named(
    tmp_path: Path, bring: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "r.jsonl", '{"id": "g-0", "response": "7"}\n{"id": "g-9", "response": "7"}\n')
    assert list(statuses(bring(source, "--skip_unknown"))) == [("g-0", 0)]


def test_a_log_of_another_version_and_a_folder_that_exists(tmp_path: Path, bring: Callable[..., Any]) -> None:
    header, samples = inspect_log(3)
    log = file(tmp_path, "log.json", json.dumps({**header, "samples": samples}))
    assert "is a log of version 3; only version 2 can be read" in bring(log)
    (tmp_path / "results" / "gsm8k-questions" / "m" / "run").mkdir(parents=True)
    assert "exists; choose another --run_name" in bring(file(tmp_path, "r.jsonl", lines(ROWS)))
