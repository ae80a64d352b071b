"""The commands of a report build a run again as it was."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

import gantk
from gantk.cli.main import cli
from gantk.errors import UsageError
from gantk.pages.rebuild import rebuilding
from gantk.run.folder import Run

SMALL = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4", "data": "digits"}

BUILDS: dict[str, tuple[str, dict[str, Any]]] = {
    "parts": ("dcgan", {**SMALL, "noise": "gaussian:dim=4", "metric": "prdc:k=3", "addon": "diffaugment", "seed": 7}),
    "another loss": ("wgan-gp", {**SMALL, "loss": "hinge"}),
    "an added loss": ("dcgan", {**SMALL, "loss": ["hidden:weight=0.3"]}),
    "without a part": ("cdcgan", {**SMALL, "without": "condition", "settings": {"train.keep": 5}}),
    "another optimizer": (
        "dcgan",
        {**SMALL, "settings": ["stages.game.generator.optimizer=sgd", "stages.game.generator.momentum=0.5"]},
    ),
    "a schedule": ("dcgan", {**SMALL, "settings": {"stages.game.generator.weight_schedule.nonsaturating": "linear"}}),
    "quotes": ("dcgan", {**SMALL, "metric": "prdc", "settings": ["train.keep_best=prdc/coverage"]}),
}


@pytest.mark.parametrize("case", BUILDS)
def test_the_command_builds_the_same(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, given = BUILDS[case]
    model = gantk.build(recipe, **given)
    build, train = rebuilding(Run("runs/it's one"), model)
    monkeypatch.chdir(tmp_path)
    cli.main(shlex.split(build)[1:], standalone_mode=False)
    again = Run(shlex.split(train)[-1])
    expected = {k: v for k, v in model.built.spec.items() if k not in ("title", "paper", "preset", "versions")}
    assert {k: v for k, v in again.spec().items() if k in expected} == expected


def test_what_no_command_builds_is_said(tiny) -> None:
    with pytest.raises(UsageError, match="given from Python"):
        rebuilding(Run("runs/x"), tiny())
