"""What is said of settings that change within a run."""

from __future__ import annotations

import pytest

from gantk.errors import UsageError
from gantk.run.checkpoints import Place
from gantk.schedule import Stage
from gantk.training.changes import change_text, check_possible


def test_what_changed_and_what_it_was() -> None:
    was = {"stages": {"game": {"length": "5 epochs", "d": {"old": 1}}}}
    now = {"stages": {"game": {"length": "9 epochs", "d": {"new": 2}}}}
    assert change_text(was, now) == (
        "stages.game.length = 9 epochs (was 5 epochs); stages.game.d.new = 2; no stages.game.d.old (was 1)"
    )
    assert change_text({}, {"train": {"keep": 3}}) == "train.keep = 3"


def test_a_pattern_that_reaches_a_finished_stage_is_told_which_stages_are_left() -> None:
    before, after = ([Stage(name, [], length) for name in ("a", "b", "c")] for length in ("4 steps", "6 steps"))
    second = Place(stage=1, step=2, total=6)
    with pytest.raises(UsageError) as refused:
        check_possible(before, after, second, images=32)
    assert str(refused.value) == (
        "stages.a.length: stage 'a' is finished and can no longer change: "
        "set stages.b.length and stages.c.length instead."
    )
    with pytest.raises(UsageError, match=r"can no longer change\.$"):
        check_possible(before, [after[0], *before[1:]], second, images=32)
    check_possible(before, [before[0], *after[1:]], second, images=32)
