"""Suggest changes to a refused build: other parts or options, another recipe, or fewer parts.

What fits depends on the rest of the request and on the installed plugins. So candidates are built, and only those that
build are suggested.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from gantk.building.candidates import (
    advised,
    with_less,
    with_nothing,
    with_other_options,
    with_other_parts,
    with_other_recipe,
    with_recipe_of_loss,
)
from gantk.building.quick_weights import QuickWeights
from gantk.building.request import Change, Request
from gantk.building.spec import Spec
from gantk.errors import FitError, GantkError

__all__ = ["mended"]

MOST_TRIED = 80
"""How many candidates are built at most. Most of those that do not fit are refused before their networks are made."""
ENOUGH, MOST = 10**9, 4 * 10**9
"""How much work (`QuickWeights.work`) is done before no further candidate is built: if one has been found, and if none
has. Small models need a tenth of it for all candidates; those of large images would take minutes."""
ORDER = ("leave out", "add", "use", "choose")
"""In which order changes that do not suffice are tried together with a second one."""


def mended(
    error: FitError, request: Request, build: Callable[[Request], object], spec_of: Callable[[Request], Spec]
) -> FitError:
    """The error of a refused request; if changes are found that build, they replace its own suggestion.

    If no single change suffices, the error names the second problem as well, and suggests two changes.

    Args:
        error: why the request was refused.
        request: the request.
        build: builds a request, or raises.
        spec_of: the spec of a request; requests with equal specs are built once.
    """
    if error.of_code:
        return error
    search = _Search(error, build, spec_of)
    good = search.first(1, itertools.chain(advised(str(error), request), with_other_options(str(error), request)))
    if not good:
        good = search.first(1, with_recipe_of_loss(request))
        good += search.first(1 if good else 2, with_other_parts(error, request))
    good = good or search.first(1, with_other_recipe(request))
    search.work = 0  # with many plugins, the changes above can take all of it
    good += search.first(2, with_less(request))
    if good:
        return error.advising(_said(good))
    for first, again in sorted(search.failed, key=lambda each: ORDER.index(each[0].verb)):
        further = [advised(str(again), first.request), with_other_parts(again, first.request)]
        for second in search.first(1, itertools.chain(*further, with_less(first.request))):
            both = f"{first.verb} {first.what} and {second.verb} {second.what}"
            return FitError(f"{error.problem}; {again.problem}", both)
    search.once_more()
    good = search.first(1, with_nothing(request))
    return error.advising(_said(good)) if good else error


class _Search:
    """Builds changed requests until enough of them succeed, and collects those that fail with another error.

    Args:
        error: why the request was refused.
        build: builds a request, or raises.
        spec_of: the spec of a request.
    """

    def __init__(self, error: FitError, build: Callable[[Request], object], spec_of: Callable[[Request], Spec]) -> None:
        self.error = error
        self.build = build
        self.spec_of = spec_of
        self.left = MOST_TRIED
        self.work = 0
        self.known: list[tuple[Any, bool]] = []
        self.failed: list[tuple[Change, FitError]] = []

    def first(self, count: int, changes: Iterable[Change]) -> list[Change]:
        """The first `count` of these changes that build, or fewer."""
        return list(itertools.islice(filter(self._builds, changes), count))

    def once_more(self) -> None:
        """Allow one more build, however much work the others were."""
        self.left, self.work = 1, 0

    def _builds(self, change: Change) -> bool:
        try:
            described = (self.spec_of(change.request), "noise" in change.request.chosen)
        except GantkError:
            return False
        for known, builds in self.known:
            if known == described:
                return builds
        if self.left < 1 or self.work > (ENOUGH if any(builds for _, builds in self.known) else MOST):
            return False
        self.left -= 1
        builds = self._tried(change)
        self.known.append((described, builds))
        return builds

    def _tried(self, change: Change) -> bool:
        quick = QuickWeights()
        try:
            with quick, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.build(change.request)
        except GantkError as again:
            if isinstance(again, FitError) and not again.of_code and again.problem != self.error.problem:
                self.failed.append((change, again))
            return False
        finally:
            self.work += quick.work
        return True


def _said(changes: Iterable[Change]) -> str:
    """Alternative changes as a phrase, such as "use A or B, or leave out C"."""
    groups = itertools.groupby(changes, lambda change: change.verb)
    return ", or ".join(f"{verb} {' or '.join(dict.fromkeys(c.what for c in group))}" for verb, group in groups)
