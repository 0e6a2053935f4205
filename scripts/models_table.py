"""Writes docs/models.md: every causal language model that transformers lists, built tiny, and how it is decoded.

`python scripts/models_table.py docs/models.md` walks the whole list (minutes); names after the file print a part.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from architectures import ARCHITECTURES, Outcome, walk

HEADER = """# Models

Every architecture that transformers {transformers} lists as a causal language model (MODEL_FOR_CAUSAL_LM_MAPPING),
built tiny with random weights and decoded on {device} in {dtype} with torch {torch}: {prompts} prompts of different
lengths in one batch, {tokens} greedy tokens each. Written by `python scripts/models_table.py docs/models.md`, not
by hand.

- **decoded**: `batched`, all rows in one pass; `by rows`, each row by itself with the model's own cache; `whole
  texts`, the whole text again for every token. The engine finds out which is right when it takes a model, and says
  so in one line where it is not `batched`. `refused`: the engine does not take it, and says why in one sentence.
  `not built`: nothing is claimed.
- **plain**: the tokens are those of `model.generate`. **exact**, **sketch**: with SRGen, the tokens and the places
  of the reflections are those of `SRGenLogitsProcessor`. `-`: SRGen is refused in one sentence (the note), decoding
  is not.
- `as full passes`: `model.generate` gives tokens that are not those of the model's own full passes; the engine gives
  the latter.
- **tokens**, **reflections**: different tokens in the reference's answers, and reflections in them; few prove
  little.

{summary}

| architecture | decoded | plain | exact | sketch | tokens | reflections | note |
| --- | --- | --- | --- | --- | --: | --: | --- |
"""


def page(outcomes: list[Outcome]) -> str:
    """The page, with one row for each outcome."""
    manners = [outcome.manner for outcome in outcomes]
    counts = ", ".join(f"{manners.count(name)} {name}" for name in dict.fromkeys(manners))
    header = HEADER.format(
        transformers=transformers.__version__,
        torch=torch.__version__.split("+")[0],
        device="a CPU",
        dtype="float32",
        prompts=3,
        tokens=24,
        summary=f"{len(outcomes)} architectures: {counts}.",
    )
    return header + "".join(_row(outcome) for outcome in outcomes)


def _row(outcome: Outcome) -> str:
    words = {True: "equal", False: "**differs**", None: "-"}
    verdicts = [words[verdict] for verdict in (outcome.plain, outcome.exact, outcome.sketch)]
    if outcome.as_full_passes:
        verdicts[0] = "as full passes"
    ran = outcome.plain is not None
    numbers = [str(n) if ran else "" for n in (outcome.distinct, outcome.reflections)]
    cells = [outcome.architecture, outcome.manner, *(verdicts if ran else ("", "", "")), *numbers, outcome.note]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Walk, write, and fail where something differs in silence."""
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    outcomes = walk(arguments[1:] or ARCHITECTURES)
    if len(arguments) == 1:
        Path(arguments[0]).write_text(page(outcomes), encoding="utf-8")
    wrong = [outcome.architecture for outcome in outcomes if not outcome.holds]
    print(f"{len(outcomes)} architectures; wrong: {', '.join(wrong) or 'none'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
