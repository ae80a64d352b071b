"""A conditional model from the command line: build, train, and draw what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from conftest import GAME, SHORT, Call

from gantk import load


def test_a_class_is_asked_for(call: Call, tmp_path: Path) -> None:
    settings = [part for setting in SHORT for part in ("--set", setting)]
    call("build", "--condition", "class", *GAME, *settings, "-o", "run").worked()
    call("train", "run").worked()
    call("sample", "run", "-n", "5", "--condition", "3", "-o", "threes.npz").worked()
    found = torch.from_numpy(np.load(tmp_path / "threes.npz")["arr_0"]).permute(0, 3, 1, 2)
    expected = load(tmp_path / "run").sample(5, 0, condition="3")
    torch.testing.assert_close(found.float() / 127.5 - 1, expected, rtol=0, atol=0.01)
    said = call("sample", "run", "--condition", "eleven", "-o", "x.png").error(2)
    assert "there is no class 'eleven'" in said
    assert "Classes: 0, 1, 2" in said
    assert "Known" not in said


def test_a_model_that_takes_none_says_so(call: Call) -> None:
    settings = [part for setting in SHORT for part in ("--set", setting)]
    call("build", *GAME, *settings, "-o", "run").worked()
    call("train", "run").worked()
    assert "not conditional" in call("sample", "run", "--condition", "3").error(2)
