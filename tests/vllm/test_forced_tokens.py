"""Tokens forced inside vLLM, on a tiny thinking model: those that the transformers engine forces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from srgen import ConfigError, Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import VLLMEngine
from srgen.engines.vllm.version import installed
from srgen.methods.budget_forcing import BudgetForcing
from srgen.methods.slot import Slot

pytestmark = pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`")

VOCABULARY = 128
WORDS = ["<end>", "<think>", "</think>", "Wait", "**Final", "Answer**"]
BEGIN, END = WORDS.index("<think>"), WORDS.index("</think>")
COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random model of few words that often thinks to an end."""
    folder = tmp_path_factory.mktemp("thinking")
    words = [*WORDS, *(f"w{i}" for i in range(VOCABULARY - len(WORDS)))]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="w0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="w0").save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=256, tie_word_embeddings=False,
        eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head.mul_(20)
        head[0] = 0.0
        head[END] *= 6  # Drawn at about every second step.
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def engine(folder: str) -> Iterator[VLLMEngine]:
    config = EngineConfig(model_path=folder, backend="vllm", dtype="float32", batch_size=8, max_model_len=128)
    engine = VLLMEngine.load(config, enforce_eager=True, max_num_batched_tokens=16, block_size=32)
    yield engine
    engine.close()


def work() -> list[Request]:
    """Budgets, ignored ends and neither, greedy and drawn, with and without SRGen, side by side."""
    often = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.5, reflection="exact")
    requests = []
    for index in range(24):
        greedy = index < 16
        settings = ({"thinking_budget": index % 5}, {"ignore_end": 2}, {"thinking_budget": 9, "ignore_end": 1}, {})
        requests.append(
            Request(
                id=str(index),
                prompt=(10 + index, 50, BEGIN, *range(60, 60 + index)),
                sampling=Sampling(do_sample=not greedy, temperature=1.0, max_new_tokens=COUNT, **settings[index % 4]),
                seed=index,
                srgen=often if index % 3 == 0 else None,
                record_signals=index % 2 == 0,
                methods=(BudgetForcing(waits=1, tokens=4), Slot()) if index % 8 == 3 else (),
            )
        )
    return requests


def test_forced_tokens_are_those_of_the_transformers_engine(engine: VLLMEngine, folder: str) -> None:
    requests = work()
    ours = {completion.id: completion for completion in engine.generate(requests)}
    reference = TransformersEngine.load(EngineConfig(model_path=folder, device="cpu", dtype="float32", batch_size=8))
    waits = ends = 0
    for theirs in reference.generate(requests[:16]):
        mine = ours[theirs.id]
        assert mine.token_ids == theirs.token_ids
        assert mine.reports.keys() == theirs.reports.keys()
        assert mine.reports.get("budget_forcing") == theirs.reports.get("budget_forcing")
        assert [r.position for r in mine.reflections] == [r.position for r in theirs.reflections]
        assert len(mine.signals or b"") == len(theirs.signals or b"")
    for request in requests:
        tokens, sampling = ours[request.id].token_ids, request.sampling
        waits += tokens.count(WORDS.index("Wait"))
        if sampling.thinking_budget is not None and not sampling.ignore_end:
            assert END in tokens[: sampling.thinking_budget + 1]
            ends += 1
    assert waits >= 3
    assert ends >= 3


def test_a_model_without_markers_is_a_sentence(engine: VLLMEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srgen.thinking.MARKERS", (("<never>", "</never>"),))
    with pytest.raises(ConfigError, match="need a thinking model"):
        list(engine.generate(work()[:1]))
