"""Budget forcing (s1, arXiv 2501.19393): a thinking model's thoughts are kept open, or ended at a budget.

The first `waits` ends of thinking become "Wait"; after `tokens` tokens of thought the end is forced and the answer
asked for. `--ignore_end` and `--thinking_budget` do the same as settings of sampling, beside any method.

Combined with SRGen, forced tokens are never reflected on; their rows join its context as those of any token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from srgen.errors import ConfigError
from srgen.methods.contract import Method, Steer, parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetForcing(Method):
    """Its parameters; two waits and no budget are the paper's best setting on AIME."""

    name: ClassVar[str] = "budget_forcing"
    title: ClassVar[str] = "budget forcing"

    waits: int = parameter(2, "times", 'Ends of thinking that become "Wait".')
    tokens: int = parameter(0, "tokens", "Tokens of thought after which the end is forced; 0 sets no budget.")

    def __post_init__(self) -> None:
        for name, unit in (("waits", "times"), ("tokens", "tokens")):
            if getattr(self, name) < 0:
                raise ConfigError(f"budget_forcing_{name} must be at least 0 {unit}, not {getattr(self, name)}")
        if not self.waits and not self.tokens:
            raise ConfigError("budget forcing does nothing with 0 waits and no budget of tokens; give one of them")

    def steer(self, tokenizer: Any, prompt: Sequence[int]) -> Steer:
        """See Method.steer. Raises ConfigError for a tokenizer without thinking markers."""
        from srgen.thinking import Steering, Thinking

        return Steering(Thinking.of(tokenizer), self.tokens or None, self.waits, prompt)
