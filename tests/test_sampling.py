from __future__ import annotations

import pytest
import torch
from scipy import stats

from srgen import ConfigError, Sampling
from srgen.method.rows import Top, largest
from srgen.method.sampling import Sampler, gumbel


def sampler(count: int, settings: Sampling, vocabulary: int, seed: int = 0) -> Sampler:
    return Sampler.build([settings] * count, list(range(seed, seed + count)), vocabulary, torch.device("cpu"))


def test_noise_is_standard_gumbel_and_independent_across_seed_step_and_token() -> None:
    seeds = torch.arange(200)
    noise = gumbel(seeds, torch.full((200,), 7), torch.arange(100).expand(200, 100))
    assert stats.kstest(noise.flatten().numpy(), "gumbel_r").pvalue > 1e-3
    shifted = gumbel(seeds, torch.full((200,), 8), torch.arange(100).expand(200, 100))
    for other in (shifted, noise.roll(1, 0), noise.roll(1, 1)):
        assert abs(torch.corrcoef(torch.stack([noise.flatten(), other.flatten()]))[0, 1]) < 0.02


def test_noise_of_a_token_does_not_depend_on_the_candidates() -> None:
    seed, step = torch.tensor([2**62 + 5]), torch.tensor([3])
    everything = gumbel(seed, step, torch.arange(1000)[None])
    some = torch.tensor([[999, 0, 17]])
    assert torch.equal(gumbel(seed, step, some), everything.gather(1, some))


@pytest.mark.parametrize(
    "settings",
    [
        Sampling(temperature=0.7, top_p=1.0),
        Sampling(temperature=1.3, top_p=0.8),
        Sampling(temperature=1.0, top_p=1.0, top_k=5),
        Sampling(temperature=0.9, top_p=0.9, top_k=6),
        Sampling(temperature=1.2, top_p=1.0, min_p=0.15),
        Sampling(temperature=1.2, top_p=0.7, min_p=0.1),
        Sampling(temperature=1.5, top_p=1.0, top_h=0.6),
        Sampling(temperature=1.5, top_p=0.9, top_k=7, min_p=0.05, top_h=0.7),
    ],
)
def test_draws_follow_the_processed_distribution(settings: Sampling) -> None:
    """Against transformers' own processors, the nucleus last as in vLLM."""
    from transformers import (
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopHLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    draws, vocabulary = 20_000, 12
    row = torch.randn(1, vocabulary, generator=torch.Generator().manual_seed(1)) * 1.5
    scores = TemperatureLogitsWarper(settings.temperature)(None, row)
    if settings.top_h:
        scores = TopHLogitsWarper(settings.top_h)(None, scores)
    if settings.min_p:
        scores = MinPLogitsWarper(settings.min_p)(None, scores)
    if settings.top_k:
        scores = TopKLogitsWarper(settings.top_k)(None, scores)
    scores = TopPLogitsWarper(settings.top_p)(None, scores)
    expected = torch.softmax(scores, -1)[0]
    tokens = sampler(draws, settings, vocabulary).draw_all(row.expand(draws, -1), torch.zeros(draws, dtype=torch.long))
    counts = torch.bincount(tokens, minlength=vocabulary).double()
    assert not counts[expected == 0].any()
    kept = expected > 0
    probabilities = (expected[kept] / expected[kept].sum()).double()
    assert stats.chisquare(counts[kept], probabilities / probabilities.sum() * draws).pvalue > 1e-3


@pytest.mark.parametrize("options", [{"min_p": 0.02}, {"top_h": 0.6}, {"top_k": 64}, {"top_k": 7, "min_p": 0.001}])
@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_limits_that_the_candidates_hold_are_final(top_p: float, options: dict[str, float]) -> None:
    rows, vocabulary = 300, 500
    logits = torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(2)) * 3
    step = torch.arange(rows)
    batch = sampler(rows, Sampling(temperature=1.0, top_p=top_p, **options), vocabulary)  # type: ignore[arg-type]
    tokens, final = batch.draw(logits, step, Top(*torch.topk(logits, 100 if "top_h" in options else 64)))
    assert final.float().mean() > 0.9
    assert torch.equal(tokens[final], batch.draw_all(logits, step)[final])


def test_rows_without_a_limit_draw_as_if_alone() -> None:
    logits = torch.randn(3, 400, generator=torch.Generator().manual_seed(5)) * 2
    step = torch.zeros(3, dtype=torch.long)
    settings = [Sampling(top_p=1.0), Sampling(top_p=1.0, min_p=0.2), Sampling(top_p=1.0, top_h=0.3)]
    together = Sampler.build(settings, [7, 8, 9], 400, torch.device("cpu")).draw_all(logits, step)
    for row, one in enumerate(settings):
        alone = Sampler.build([one], [7 + row], 400, torch.device("cpu")).draw_all(logits[row : row + 1], step[:1])
        assert alone[0] == together[row]


@pytest.mark.parametrize("name", ["min_p", "top_h"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_shares_outside_their_range_are_a_sentence(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must lie in"):
        Sampling(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("top_p", [0.3, 0.9, 0.999])
def test_candidates_and_the_whole_vocabulary_agree(top_p: float) -> None:
    rows, vocabulary = 300, 500
    logits = torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(2)) * 3
    step = torch.arange(rows)
    batch = sampler(rows, Sampling(temperature=0.8, top_p=top_p), vocabulary)
    tokens, final = batch.draw(logits, step, Top(*torch.topk(logits, 64)))
    everything = batch.draw_all(logits, step)
    assert torch.equal(tokens[final], everything[final])
    if top_p == 0.3:
        assert final.all()
    if top_p == 0.999:
        assert not final.all()


def test_the_largest_of_tied_logits_is_the_first() -> None:
    """As argmax says it, so that a greedy run does not depend on whether somebody wants the largest logits."""
    logits = torch.randn(20, 5000, generator=torch.Generator().manual_seed(4)).round()
    assert torch.equal(largest(logits, 256).argmax, logits.argmax(-1))


def test_greedy_and_sampled_rows_share_a_batch() -> None:
    logits = torch.randn(2, 50, generator=torch.Generator().manual_seed(3))
    settings = [Sampling(do_sample=False), Sampling(temperature=1.0, top_p=0.5)]
    batch = Sampler.build(settings, [1, 2], 50, torch.device("cpu"))
    tokens, final = batch.draw(logits, torch.zeros(2, dtype=torch.long), Top(*torch.topk(logits, 50)))
    assert final.all()
    assert tokens[0] == logits[0].argmax()
    nucleus = sampler(1, settings[1], 50, seed=2).draw_all(logits[1:], torch.zeros(1, dtype=torch.long))
    assert tokens[1] == nucleus[0]


def test_rows_of_a_sampler_draw_as_before() -> None:
    logits = torch.randn(6, 40)
    batch = sampler(6, Sampling(top_p=0.9), 40)
    step = torch.arange(6)
    picked = torch.tensor([4, 1])
    assert torch.equal(batch.rows(picked).draw_all(logits[picked], step[picked]), batch.draw_all(logits, step)[picked])
