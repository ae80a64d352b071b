"""show: with the kind or without it; what is meant is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_a_name_alone_is_enough_where_one_kind_has_it(call) -> None:
    assert call("show", "de").worked().out == call("show", "noise", "de").worked().out
    assert call("show", "degan-mnist").worked().out == call("show", "recipe", "degan-mnist").worked().out
    assert call("show", "gantk:minimax").worked().out == call("show", "loss", "minimax").worked().out


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["dcgan"], "gantk show generator dcgan or gantk show discriminator dcgan or gantk show recipe dcgan"),
        (["dcgna"], "Did you mean 'dcgan'?"),
        (["noise"], "expected gantk show noise NAME; NAME is one of "),
        (["generater"], "Did you mean 'generator'?"),
        (["generater", "dcgan"], "Did you mean 'generator'?"),
        (["dcgan", "generator"], "gantk show generator dcgan"),
        (["generator", "dcgna"], "Did you mean 'dcgan'?"),
    ],
)
def test_what_is_meant_is_named(words: list[str], mend: str, call) -> None:
    assert mend in call("show", *words).error(2)


def test_a_title_is_true_of_what_was_built(tmp_path, call) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.fromarray(np.full((40, 40, 3), 60 * number, dtype=np.uint8)).save(tmp_path / f"photos/{number}.png")
    small = ["--generator", "aegan:width=2", "--discriminator", "aegan:width=2", "--set", "train.accelerator=cpu"]
    data = ["--data", "photos:size=32"]
    out = call("build", "aegan-64", *data, *small, "--dry-run").worked().out
    title = out.splitlines()[0]
    assert title == ("aegan-64: AEGAN at 32×32: embeddings of 16×16 (changed: data, generator, discriminator)")
    plain = call("build", "dcgan", "--set", "train.accelerator=cpu", "--dry-run").worked().out
    assert plain.splitlines()[0].startswith("dcgan: DCGAN: ")
    assert "changed" not in plain.splitlines()[0]


def test_a_run_shows_its_parts_and_how_far_it_is(call, small_build: list[str], tmp_path: Path) -> None:
    built = call(*small_build, "-o", "faces").worked()
    table = built.out.partition("\n\ntime:")[0]
    shown = call("show", "faces").worked()
    assert shown.out.startswith(table)
    assert re.search(r"^trained: 0 of [\d,]+ steps, not trained$", shown.out, re.MULTILINE)
    call("train", "faces").worked()
    assert re.search(r"^trained: (\d+) of \1 steps, finished$", call("show", "./faces").worked().out, re.MULTILINE)
    found = json.loads(call("show", "faces", "--json").worked().out)
    assert (found["summary"]["state"], found["spec"]["data"]["plugin"]) == ("finished", "gantk:digits")
    (tmp_path / "dcgan").mkdir()
    assert "is the name of" in call("show", "dcgan").error(2)
    assert "runs/x is not a run" in call("show", "runs/x").error(1)
