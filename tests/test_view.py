"""The live view's server: what it finds, what it refuses, and files that grow while it looks."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic_runs import drawn_run, first_words, sample, write_run

from evaluators.analysis.summary import summarise
from evaluators.records.journal_index import JournalIndex, outline

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from evaluators import view
from evaluators.viewer.app import create_app
from evaluators.viewer.guard import COOKIE, Guard
from evaluators.viewer.library import Library

BASE, SRGEN = "aime-2024/tiny-1B/base", "aime-2024/tiny-1B/srgen"


def browser(root: Path, *, host: str = "127.0.0.1", token: str | None = None, name: str = "127.0.0.1") -> TestClient:
    return TestClient(create_app(Library(root), Guard(host, token)), base_url=f"http://{name}:8765")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A base and an SRGen run with summaries."""
    for name, seed in (("base", 1), ("srgen", 2)):
        folder = tmp_path / "results" / "aime-2024" / "tiny-1B" / name
        summarise(drawn_run(folder, questions=4, k=3, seed=seed, srgen=name == "srgen"), first_words)
    return tmp_path / "results"


@pytest.fixture
def client(results: Path) -> Iterator[TestClient]:
    with browser(results) as opened:
        yield opened


def get(client: TestClient, path: str, *runs: str, **more: Any) -> Any:
    answer = client.get(f"/data/{path}", params=[*(("runs", run) for run in runs), *more.items()])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_runs_are_found_with_how_far_they_are(client: TestClient) -> None:
    rows = get(client, "library")["runs"]
    assert [row["id"] for row in rows] == [BASE, SRGEN]
    assert rows[1] | {"method": "SRGen", "state": "complete", "samples": 12, "planned": 12, "k": 3} == rows[1]
    assert rows[1]["accuracy_low"] < rows[1]["accuracy"] < rows[1]["accuracy_high"]


def test_documents_say_what_the_files_say(client: TestClient, results: Path) -> None:
    contents = get(client, "contents", BASE, SRGEN)
    rows = [json.loads(line) for line in (results / SRGEN / "samples.jsonl").read_text().splitlines()]
    for row in rows:
        number = next(n for n, q in enumerate(contents["questions"]) if q["id"] == row["question_id"])
        letter = contents["questions"][number]["verdicts"]["1"][row["sample"]]
        assert letter == {"correct": "c", "incorrect": "i", "no_answer": "n"}[row["status"]]
        found = get(client, f"sample/{number}/1/{row['sample']}", BASE, SRGEN)
        assert (found["response"], found["tokens"]) == (row["response"], row["generated_tokens"])
        assert len(found.get("marks", [])) == row["reflections"]
    (pair,) = get(client, "pairs", BASE, SRGEN)
    gained = 100 * sum(row["correct"] for row in rows) / 12
    assert pair["metrics"][0]["other"] == pytest.approx(gained)
    votes = get(client, "question/0", BASE, SRGEN)["runs"]["0"]["votes"]
    assert sum(vote["count"] for vote in votes) <= 3
    assert get(client, "search", BASE, words="LET US see")["hits"]


def test_only_runs_that_were_found_can_be_asked_for(client: TestClient, results: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "secret", [sample("q0", 0, "1", "1")], {"q0": "1"}, k=1)
    absolute = str(tmp_path / "secret")
    for run in (
        "../secret",
        f"{BASE}/../../../../secret",
        absolute,
        "..",
        ".",
        "",
        f"{BASE}/",
        "%2e%2e/secret",
        "a\0b",
    ):
        answer = client.get("/data/contents", params={"runs": run})
        assert answer.status_code == 404, run
        assert "secret" not in answer.text.replace(repr(run), "")
    for path in (
        "/../secret/samples.jsonl",
        "/data/../../secret",
        "/%2e%2e/%2e%2e/etc/passwd",
        f"/{BASE}/samples.jsonl",
    ):
        assert client.get(path).status_code == 404
    for path in ("sample/-1/0/0", "sample/0/-1/0", "sample/0/0/-1", "sample/99/0/0", "sample/0/0/99", "question/99"):
        assert client.get(f"/data/{path}", params={"runs": BASE}).status_code in (404, 422)
    for method in (client.post, client.put, client.delete):
        assert method("/data/library").status_code == 405


def test_a_link_out_of_the_folder_is_refused(results: Path, tmp_path: Path) -> None:
    outside = drawn_run(tmp_path / "outside", questions=2, k=1)
    (results / "linked").symlink_to(outside)
    inside = write_run(results / "inside", [], {"q0": "1"}, k=1)
    (inside / "samples.jsonl").unlink()
    (inside / "samples.jsonl").symlink_to(outside / "samples.jsonl")
    half = write_run(results / "half", [], {"q0": "1"}, k=1)
    (half / "questions.jsonl").unlink()
    (half / "questions.jsonl").symlink_to(outside / "questions.jsonl")
    with browser(results) as client:
        library = get(client, "library")
        assert [row["id"] for row in library["runs"]] == [BASE, SRGEN]
        assert {fault["id"] for fault in library["faults"]} == {"half", "inside"}
        assert all("leads out of" in fault["reason"] for fault in library["faults"])
        for name, status in (("linked", 404), ("inside", 422), ("half", 422)):
            answer = client.get("/data/contents", params={"runs": name})
            assert (answer.status_code, "aime-0" in answer.text) == (status, False)


def test_a_recording_that_becomes_a_link_is_refused(client: TestClient, results: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text((results / SRGEN / "entropies.jsonl").read_text())
    (results / SRGEN / "entropies.jsonl").unlink()
    (results / SRGEN / "entropies.jsonl").symlink_to(tmp_path / "elsewhere")
    assert client.get("/data/sample/0/0/0", params={"runs": SRGEN}).status_code == 422


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost.evil.example", ""]
)
def test_a_foreign_host_header_is_refused(results: Path, name: str) -> None:
    with browser(results) as client:
        for path in ("/", "/data/library", "/events"):
            assert client.get(path, headers={"host": f"{name}:8765" if name else ""}).status_code == 421


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machines_own_names_are_known(results: Path, name: str) -> None:
    with browser(results) as client:
        assert client.get("/", headers={"host": f"{name}:8765"}).status_code == 200


def test_beyond_this_machine_a_token_is_needed(results: Path) -> None:
    with browser(results, host="0.0.0.0", token="secret", name="192.168.0.7") as client:
        for answer in (
            client.get("/data/library"),
            client.get("/"),
            client.get("/?token=wrong"),
            client.get("/events"),
        ):
            assert answer.status_code == 401
        assert client.get("/data/library", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/data/library", headers={"authorization": "Bearer secret"}).status_code == 200
        assert client.get("/data/library", headers={"host": "evil.example"}).status_code == 421
        moved = client.get("/?token=secret", follow_redirects=False)
        assert (moved.status_code, moved.headers["location"]) == (303, "/")
        assert "httponly" in moved.headers["set-cookie"].lower()
        assert client.cookies[COOKIE] == "secret"
        assert client.get("/data/library").status_code == 200


def test_answers_may_not_be_framed_kept_or_guessed(client: TestClient) -> None:
    page = client.get("/")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert get(client, "library") and client.get("/data/library").headers["x-content-type-options"] == "nosniff"


def test_a_half_written_line_is_waited_for(tmp_path: Path) -> None:
    golds = {"q0": "1", "q1": "2"}
    run = write_run(tmp_path / "results" / "run", [sample("q0", 0, "1", "1")], golds, k=1)
    line = json.dumps(sample("q1", 0, "3", "2", response='half "quoted", "answer": 7').to_json()) + "\n"
    with browser(tmp_path / "results") as client:

        def letters() -> list[str]:
            return [question["verdicts"]["0"] for question in get(client, "contents", "run")["questions"]]

        assert letters() == ["c", "m"]
        for end in (1, len(line) // 2, len(line) - 1):  # what a run that is killed leaves, and cuts off when it goes on
            size = (run / "samples.jsonl").stat().st_size
            with (run / "samples.jsonl").open("a") as journal:
                journal.write(line[:end])
            assert letters() == ["c", "m"]
            os.truncate(run / "samples.jsonl", size)
        with (run / "samples.jsonl").open("a") as journal:
            for part in (line[:9], line[9:-1], "\n"):
                assert letters() == ["c", "m"]
                journal.write(part)
                journal.flush()
        assert letters() == ["c", "i"]
        assert get(client, "sample/1/0/0", "run")["response"] == 'half "quoted", "answer": 7'
        assert get(client, "contents", "run")["runs"][0]["notes"] == []


def test_a_damaged_line_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    golds = {"q0": "1", "q1": "2"}
    run = write_run(tmp_path / "results" / "run", [sample("q0", 0, "1", "1")], golds, k=1)
    with (run / "samples.jsonl").open("ab") as journal:
        journal.write(
            b'{"question_id": "q1", \xff\n' + json.dumps(sample("q1", 0, None, "2").to_json()).encode() + b"\n"
        )
    with browser(tmp_path / "results") as client:
        contents = get(client, "contents", "run")
    assert [question["verdicts"]["0"] for question in contents["questions"]] == ["c", "n"]
    assert contents["runs"][0]["notes"] == ["line 2 of samples.jsonl is damaged and left out"]


def test_a_journal_that_is_written_anew_is_read_anew(client: TestClient, results: Path) -> None:
    path = results / BASE / "samples.jsonl"
    before = get(client, "contents", BASE)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    fresh = [json.dumps(row | {"status": "no_answer", "answer": None, "correct": False}) + "\n" for row in rows]
    (path.parent / "new").write_text("".join(reversed(fresh)))
    (path.parent / "new").replace(path)
    after = get(client, "contents", BASE)
    assert before != after
    assert {question["verdicts"]["0"] for question in after["questions"]} == {"nnn"}
    assert after["runs"][0]["rates"] == []  # the summary on disk is of other samples


def test_an_outline_is_the_line_without_its_response() -> None:
    tricky = 'a ", "answer": "9", "status": "correct" \\" \\\\", "answer": b\u2028 </script>'
    row = sample('q", "response": "x', 0, "1", "1", response=tricky).to_json()
    found = outline(json.dumps(row, ensure_ascii=False).encode())
    assert found == {name: value for name, value in row.items() if name != "response"}
    assert outline(json.dumps(row).encode()) == found
    foreign = json.dumps(row, separators=(",", ":")).encode()
    assert outline(foreign) == row


def test_an_index_that_grows_line_by_line_is_that_of_the_whole_journal(tmp_path: Path) -> None:
    golds = {f"q{number}": "1" for number in range(3)}
    pick = random.Random(5)
    places = [(f"q{pick.randrange(4)}", pick.randrange(3)) for _ in range(40)]  # q3 and sample 2 are of no plan
    lines = [
        json.dumps(sample(key, index, pick.choice(["1", "2", None]), "1", generated_tokens=number).to_json()) + "\n"
        for number, (key, index) in enumerate(places)
    ]
    lines[7] = "{}\n"
    run = write_run(tmp_path / "run", [], golds, k=2)
    grown, whole = (JournalIndex(run, list(golds), 2) for _ in range(2))
    for line in lines:
        with (run / "samples.jsonl").open("a") as journal:
            journal.write(line)
        assert grown.refresh() == 1
    assert whole.refresh() == 40
    for table in ("offset", "length", "verdict", "tokens", "reflections", "answer", "worker"):
        assert (getattr(grown, table) == getattr(whole, table)).all(), table
    assert grown.damaged == whole.damaged == [8]
    last = {place: number for number, place in enumerate(places) if number != 7}
    assert whole.tokens.tolist() == [[last.get((key, index), 0) for index in range(2)] for key in golds]


def test_nothing_is_written(client: TestClient, results: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(results.rglob("*"))}

    (results / BASE / "summary.csv").unlink()
    before = state()
    for path in ("contents", "pairs", "prompts", "question/0", "sample/0/0/0"):
        get(client, path, BASE, SRGEN)
    get(client, "library")
    assert state() == before


def test_two_runs_that_are_not_complete_are_compared_so_far(tmp_path: Path) -> None:
    golds = {"q0": "1", "q1": "2"}
    write_run(tmp_path / "a", [sample("q0", 0, "1", "1"), sample("q0", 1, "2", "1")], golds, k=2)
    write_run(tmp_path / "b", [sample("q0", 0, "1", "1"), sample("q1", 0, "2", "2")], golds, k=2, srgen=True)
    with browser(tmp_path) as client:
        (pair,) = get(client, "pairs", "a", "b")
    assert pair["so_far"] is True
    assert pair["sentence"].startswith("So far, on 1 of 2 questions")
    assert pair["metrics"][0]["delta"] == 50


def test_summaries_are_read_before_anybody_asks(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(results)
    library.warm()
    monkeypatch.delattr("evaluators.viewer.library.stored_summary")
    assert all(run["rates"] for run in library.collection([BASE, SRGEN]).contents()["runs"])


def test_a_studys_cells_lead_to_their_runs(client: TestClient, results: Path, tmp_path: Path) -> None:
    cells = {
        "m/aime/base": {"directory": str(results / BASE), "questions": 4},
        "m/aime/far": {"directory": str(tmp_path), "questions": 4, "failure": "no GPU"},
    }
    (results / "study").mkdir()
    (results / "study" / "cells.json").write_text(json.dumps(cells))
    (study,) = get(client, "library")["studies"]
    assert [(cell["run"], cell["failure"]) for cell in study["cells"]] == [(BASE, ""), (None, "no GPU")]


def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view.main([str(tmp_path / "nowhere")]) == 2
    assert view.main([str(tmp_path), "--port", "99999"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("error: ") for line in errors)
