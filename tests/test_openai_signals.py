"""Signals from endpoints: what their log-probabilities tell is recorded, and the choosers that need more abstain."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from openai.types.chat.chat_completion import ChoiceLogprobs

from evaluators.__main__ import main
from evaluators.analysis.choices import choices
from evaluators.records.signals import confidences, rows_of, summarised
from srgen import ConfigError
from srgen.engines.openai_signals import signals_of
from tests.server_process import running, tiny_engine
from tests.synthetic_runs import sample
from tests.test_openai import CHAT, METHOD, endpoint, engine_for, requests

LOG_P, TOP, ALL, MARGIN = range(4)


def entry(chosen: float, top: list[float]) -> dict[str, object]:
    def token(value: float) -> dict[str, object]:
        return {"token": "x", "bytes": None, "logprob": value}

    return token(chosen) | {"top_logprobs": [token(value) for value in top]}


def answered(*entries: dict[str, object]) -> dict[str, object]:
    return {"content": list(entries), "refusal": None}


@pytest.mark.parametrize("method", [None, METHOD])
def test_our_server_gives_the_engines_signals(method: object) -> None:
    asked = requests(2, prompt=CHAT, srgen=method, record_signals=True)
    expected = {c.id: c for c in tiny_engine().generate(asked)}
    with running(tiny_engine()) as (url, _):
        got = {c.id: c for c in engine_for(url).generate(asked)}
    for key, completion in got.items():
        assert completion.signals is not None and expected[key].signals is not None
        found, wanted = rows_of(completion.signals), rows_of(expected[key].signals)
        assert len(found) == len(completion.token_ids)
        for column in (LOG_P, TOP, MARGIN):
            assert found[:, column] == pytest.approx(wanted[:, column], abs=1e-2)
        assert np.isnan(found[:, ALL]).all()


def test_a_completion_gives_the_chosen_tokens_log_probabilities() -> None:
    (asked,) = requests(1, prompt="abc", srgen=None, record_signals=True)
    (expected,) = tiny_engine().generate([asked])
    with running(tiny_engine()) as (url, _):
        (got,) = engine_for(url).generate([asked])
    assert got.signals is not None and expected.signals is not None
    assert rows_of(got.signals)[:, LOG_P] == pytest.approx(rows_of(expected.signals)[:, LOG_P], abs=1e-2)


def test_fewer_of_the_likeliest_tell_no_confidence() -> None:
    logprobs = answered(entry(-0.5, [-2.0, -0.5, -3.0]), entry(-9999.0, []))
    with endpoint([], logprobs=logprobs) as (url, bodies):
        (completion,) = engine_for(url).generate(requests(1, srgen=None, record_signals=True))
    assert (bodies[0]["logprobs"], bodies[0]["top_logprobs"]) == (True, 20)
    assert completion.signals is not None
    first, second = rows_of(completion.signals)
    assert first[LOG_P] == -0.5
    assert first[MARGIN] == pytest.approx(math.exp(-0.5) - math.exp(-2.0), abs=1e-3)
    assert np.isnan(first[[TOP, ALL]]).all()
    assert second[LOG_P] == pytest.approx(-9999.0, abs=4)
    assert summarised(np.array([first, second])) == pytest.approx(
        {"log_p": -5000, "margin": float(first[MARGIN])}, abs=2
    )


def test_tokens_that_are_counted_and_not_listed_are_unknown() -> None:
    logprobs = ChoiceLogprobs.model_validate(answered(entry(-1.0, [-1.0] * 20)))
    choice = type("Choice", (), {"logprobs": logprobs})
    rows = rows_of(signals_of(choice, 3))
    assert len(rows) == 3
    assert np.isnan(rows[1:]).all()
    assert list(confidences(rows)) == [1.0]


def test_an_endpoint_without_log_probabilities_is_one_sentence() -> None:
    asked = requests(1, srgen=None, record_signals=True)
    with endpoint([]) as (url, _), pytest.raises(ConfigError, match="gives no log-probabilities; leave"):
        list(engine_for(url).generate(asked))
    with endpoint([], refuses="logprobs") as (url, _), pytest.raises(ConfigError, match="does not give 20"):
        list(engine_for(url).generate(asked))
    with endpoint([400, 400], logprobs=answered(entry(-1.0, []))) as (url, _):  # the request itself is refused
        (completion,) = engine_for(url).generate(asked)
    assert completion.finish_reason == "error"


def test_choosers_that_need_the_whole_vocabulary_abstain() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(-1, 3, size=(6, 4))
    known = {"log_p": -1.0, "margin": 0.5, "confidence": 3.0, "tail": 3.0, "low": 3.0, "lowest": 3.0}
    table = [[sample(f"q{q}", k, "1", "1", confidence=known) for k in range(4)] for q in range(6)]
    rates = {choice.name: choice.rate[-1] for choice in choices(table, classes, None)}
    empty = {name for name, rate in rates.items() if math.isnan(rate)}
    assert empty == {"self_certainty", "borda", "deepconf_online_10", "deepconf_online_90"}


def test_a_run_over_http_records_and_says_what_is_lacking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with running(tiny_engine(positions=2048)) as (url, _):
        flags = ["--backend", "openai", "--base_url", f"{url}/v1", "--model_path", "srgen", "--max_new_tokens", "8"]
        flags += ["--record_signals", "--eval_samples", "2", "--average", "2"]
        status = main(["mini", *flags, "--output_dir", str(tmp_path), "--run_name", "run"])
    assert status == 0
    said = caplog.text + capsys.readouterr().err
    assert "self_certainty and borda will choose nothing" in said
    folder = tmp_path / "mini" / "srgen" / "run"
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert all({"log_p", "margin", "tail"} <= row["confidence"].keys() for row in rows)
    assert (folder / "signals.f16").stat().st_size == 8 * sum(row["generated_tokens"] for row in rows)
