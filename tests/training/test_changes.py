"""What is said of settings that change within a run."""

from __future__ import annotations

from gantk.training.changes import change_text


def test_what_changed_and_what_it_was() -> None:
    was = {"stages": {"game": {"length": "5 epochs", "d": {"old": 1}}}}
    now = {"stages": {"game": {"length": "9 epochs", "d": {"new": 2}}}}
    assert change_text(was, now) == (
        "stages.game.length = 9 epochs (was 5 epochs); stages.game.d.new = 2; no stages.game.d.old (was 1)"
    )
    assert change_text({}, {"train": {"keep": 3}}) == "train.keep = 3"
