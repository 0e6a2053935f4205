"""Lists, sets and named values: what has an order, and what counts repeats."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.grading.algebra import labels
from evaluators.grading.algebra.nodes import Bracket, Listing, Node, Relation

Same = Callable[[Node, Node], bool]


def same_listing(a: Node, b: Node, same: Same) -> bool:
    """Lists count repeats, sets in braces do not; values named differently keep their order."""
    if isinstance(a, Bracket) or isinstance(b, Bracket):
        listing, bracket = (b, a) if isinstance(a, Bracket) else (a, b)
        if isinstance(listing, Listing) and isinstance(bracket, Bracket) and not listing.braced and is_tuple(bracket):
            return pairwise(_in_order(listing), bracket.items, same)
        return False
    left, right = (n.items if isinstance(n, Listing) else (n,) for n in (a, b))
    if _names(left) is not None and _names(right) is None and len(_names(left) or ()) > 1:
        return len(right) > 1 and pairwise(left, right, same)
    if _names(right) is not None and _names(left) is None and len(_names(right) or ()) > 1:
        return len(left) > 1 and pairwise(left, right, same)
    if matches(left, right, same):
        return True
    sets = [isinstance(n, Listing) and n.braced for n in (a, b)]
    left, right = (_distinct(x, same) if braced else x for x, braced in zip((left, right), sets, strict=True))
    return any(sets) and matches(left, right, same)


def is_tuple(node: Bracket) -> bool:
    """Whether a bracket is round on both sides."""
    return (node.opening, node.closing) == ("(", ")")


def pairwise(a: tuple[Node, ...], b: tuple[Node, ...], same: Same) -> bool:
    """Whether the items are the same one by one."""
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def matches(a: tuple[Node, ...], b: tuple[Node, ...], same: Same) -> bool:
    """Whether the items are the same one by one in some order."""
    if len(a) != len(b):
        return False
    partners = [[j for j, other in enumerate(b) if same(item, other)] for item in a]
    taken: dict[int, int] = {}
    return all(_finds_partner(i, partners, taken, set()) for i in range(len(a)))


def _finds_partner(i: int, partners: list[list[int]], taken: dict[int, int], tried: set[int]) -> bool:
    """One step of a bipartite matching: sameness is not transitive, so an item may have to give its partner up."""
    for j in partners[i]:
        if j in tried:
            continue
        tried.add(j)
        if j not in taken or _finds_partner(taken[j], partners, taken, tried):
            taken[j] = i
            return True
    return False


def _distinct(items: tuple[Node, ...], same: Same) -> tuple[Node, ...]:
    kept: list[Node] = []
    for item in items:
        if not any(same(item, other) for other in kept):
            kept.append(item)
    return tuple(kept)


def _names(items: tuple[Node, ...]) -> list[Node] | None:
    """The different names of a list whose every item is a named value."""
    found: list[Node] = []
    for item in items:
        name = labels.split(item)[0] if isinstance(item, Relation) and labels.is_equation(item) else None
        if name is None:
            return None
        if name not in found:
            found.append(name)
    return found


def _in_order(listing: Listing) -> tuple[Node, ...]:
    """The items of a list as a tuple has them: named ones by their names, x before y."""
    names = _names(listing.items)
    if names is None or len(names) < len(listing.items):
        return listing.items
    order = sorted(range(len(names)), key=lambda index: repr(names[index]))
    return tuple(listing.items[index] for index in order)
