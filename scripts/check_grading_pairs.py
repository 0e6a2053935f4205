"""Holds the grader against itself: every pair of the answers in labelled cases, in both orders, and their classes.

    python scripts/check_grading_pairs.py CASES.jsonl ... [--second N]

The answers are the golds and what is extracted from the responses. The exact reader compares every pair; the second
one those that it leaves open (of more than N a seeded choice). Checked: both orders agree, and the classes of a seeded
choice of the answers are the same forwards and backwards. Printed besides: chains a = b = c whose ends differ (20, 20 %
and 0.2 are one, by the rules), since a class holds more than equal answers there. 300,000 pairs take 15 minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluators.grading import GradingPool, classes, extract
from evaluators.grading.__main__ import kind_of
from evaluators.grading.equivalence import Decision, compare

Pair = tuple[str, str]
_CLASSED = 150
"""Answers whose classes are formed."""


def answers_of(paths: Iterable[Path]) -> list[str]:
    """The different golds and extracted answers of the cases that are graded as mathematics."""
    found: dict[str, None] = {}
    for path in paths:
        for case in map(json.loads, path.read_text("utf-8").splitlines()):
            kind = kind_of(case["benchmark_kind"], case["gold"])
            texts = (case["gold"], extract(case["response"], kind)) if kind != "choice" else ()
            found |= dict.fromkeys(text for text in texts if text is not None)
    return list(found)


def compared(answers: Sequence[str]) -> tuple[dict[Pair, Decision], list[Pair]]:
    """(what the exact reader says of every pair, the pairs of which it says something else in the other order)."""
    found = {(a, b): compare(a, b, "latex") for a, b in itertools.combinations(answers, 2)}
    return found, [(a, b) for (a, b), decision in found.items() if compare(b, a, "latex") != decision]


def compared_again(pairs: Sequence[Pair]) -> tuple[set[Pair], list[Pair]]:
    """(the pairs that both readers call equal, those of which they say something else in the other order)."""
    equal, lopsided = set(), []
    with GradingPool(workers=1, limit=20) as pool:
        for a, b in pairs:
            one, other = (len(set(pool.classes(pair, "latex"))) == 1 for pair in ((a, b), (b, a)))
            if one:
                equal.add((a, b))
            if one != other:
                lopsided.append((a, b))
    return equal, lopsided


def loose_chains(equal: set[Pair]) -> list[tuple[str, str, str]]:
    """Chains a = b = c whose ends are not equal."""
    both = equal | {(b, a) for a, b in equal}
    after: dict[str, list[str]] = {}
    for a, b in both:
        after.setdefault(a, []).append(b)
    return [(a, b, c) for b in after for a, c in itertools.combinations(sorted(after[b]), 2) if (a, c) not in both]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, nargs="+")
    parser.add_argument("--second", type=int, default=None, help="pairs for the second reader at most; all by default")
    given = parser.parse_args(arguments)
    answers, begun = answers_of(given.cases), time.process_time()
    decisions, lopsided = compared(answers)
    equal = {pair for pair, decision in decisions.items() if decision == "equal"}
    open_pairs = [pair for pair, decision in decisions.items() if decision == "undecided"]
    count = len(open_pairs) if given.second is None else min(given.second, len(open_pairs))
    equal_too, lopsided_too = compared_again(random.Random(0).sample(open_pairs, count))
    few = random.Random(0).sample(answers, min(_CLASSED, len(answers)))
    forwards, backwards = classes(few, "latex"), classes(few[::-1], "latex")[::-1]
    numbered = itertools.combinations(zip(few, forwards, backwards, strict=True), 2)
    disordered = [(a, b) for (a, x, y), (b, z, w) in numbered if (x == z) != (y == w)]
    print(
        f"{len(answers)} answers, {len(decisions)} pairs: the exact reader calls {len(equal)} equal and leaves "
        f"{len(open_pairs)} open; the second was asked about {count} of them and calls {len(equal_too)} equal"
    )
    print(f"pairs that differ by their order: {lopsided + lopsided_too or 'none'}")
    print(f"classes that differ by their order: {disordered or 'none'}")
    chains = loose_chains(equal | equal_too)
    print(f"chains of equal answers whose ends are not: {len(chains)}, such as")
    for chain in chains[:20]:
        print("chain:", *(repr(text) for text in chain), sep="  ")
    print(f"{time.process_time() - begun:.0f} CPU seconds, without the second reader's")
    return int(bool(lopsided or lopsided_too or disordered))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
