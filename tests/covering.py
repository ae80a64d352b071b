"""Pairwise covering: few combinations of choices that hold every pair of choices that can occur together."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Combination", "Pair", "covering", "every_pair", "pairs_of"]

Combination = Mapping[str, str]
"""factor → the chosen value"""

Pair = tuple[tuple[str, str], tuple[str, str]]
"""((factor, value), (factor, value)), the factors in the order in which they are listed"""

CANDIDATES = 20
"""How many completions of a pair are compared; more make the array a little shorter."""


def pairs_of(combination: Combination) -> frozenset[Pair]:
    """Every pair of choices that a combination holds."""
    return frozenset(itertools.combinations(combination.items(), 2))


def every_pair(factors: Mapping[str, Sequence[str]]) -> Iterator[Pair]:
    """Every value of every factor with every value of every other."""
    for one, other in itertools.combinations(factors, 2):
        yield from itertools.product(
            [(one, value) for value in factors[one]], [(other, value) for value in factors[other]]
        )


def covering(
    factors: Mapping[str, Sequence[str]], allowed: Callable[[Pair], bool], seed: int = 0
) -> tuple[list[Combination], frozenset[Pair]]:
    """Combinations of allowed pairs only, and the pairs that they cover: all that occur in any such combination.

    Args:
        factors: factor → its values.
        allowed: whether two choices go together.
        seed: the same seed gives the same combinations.

    Returns:
        the combinations, and the pairs that no combination of allowed pairs can hold.
    """
    rng = random.Random(seed)
    names = list(factors)
    choices = {(name, value) for name in names for value in factors[name]}
    good = {pair for pair in every_pair(factors) if allowed(pair)}
    friends = {choice: {a if b == choice else b for a, b in good if choice in (a, b)} for choice in choices}

    def completions(chosen: dict[str, str]) -> Iterator[Combination]:
        """Every combination of allowed pairs with these choices, in random order."""
        missing = [name for name in names if name not in chosen]
        if not missing:
            yield {name: chosen[name] for name in names}
            return
        values = [v for v in factors[missing[0]] if friends[missing[0], v] >= set(chosen.items())]
        for value in rng.sample(values, len(values)):
            yield from completions({**chosen, missing[0]: value})

    rows: list[Combination] = []
    uncovered, impossible = set(good), set()
    for pair in sorted(good):
        if pair not in uncovered:
            continue
        best: Combination | None = None
        for _ in range(CANDIDATES):
            row = next(completions(dict(pair)), None)
            if row is None:
                break
            if best is None or len(pairs_of(row) & uncovered) > len(pairs_of(best) & uncovered):
                best = row
        if best is None:
            impossible.add(pair)
            uncovered.discard(pair)
        else:
            rows.append(best)
            uncovered -= pairs_of(best)
    return rows, frozenset(impossible)
