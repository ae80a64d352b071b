"""doctor RUN: whether the files of a run are whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from by_hand import as_former

from gantk.run.folder import Run


def test_a_whole_run_is_whole(trained: Path, call, contents) -> None:
    before = contents(trained)
    out = call("doctor", "trained").worked().out
    assert out.splitlines()[-1] == "trained is whole"
    held = {line.split()[0]: line for line in out.splitlines()[1:-1]}
    for step in (4, 8):
        for name in ("manifest.json", "model.safetensors", "optimizers.safetensors", "training.json"):
            assert " ok " in held[f"checkpoints/step-{step:07d}/{name}"]
    assert "as the model has them" in held["checkpoints/step-0000008/model.safetensors"]
    assert "step 8 of stage 1" in held["checkpoints/step-0000008/training.json"]
    assert {"model.toml", "log.jsonl"} < set(held)
    assert any(name.startswith("samples/") for name in held)
    assert contents(trained) == before, "nothing is written"


def test_each_damaged_file_is_named(trained: Path, call) -> None:
    """A checkpoint of an earlier version has no checksums, and is not called damaged for that."""
    last = trained / "checkpoints/step-0000008"
    as_former(trained / "checkpoints/step-0000004")
    content = bytearray((last / "optimizers.safetensors").read_bytes())
    content[-1] ^= 1
    (last / "optimizers.safetensors").write_bytes(content)
    (last / "training.json").unlink()
    lines = (trained / "log.jsonl").read_text().splitlines()
    (trained / "log.jsonl").write_text("\n".join(["{", *lines]) + "\n")
    picture = Run(trained).samples[0]
    picture.write_bytes(picture.read_bytes()[:60])
    shutil.copytree(last, last.with_name("damaged-step-0000008"))
    found = call("doctor", "trained", "--json")
    assert found.code == 1
    states = {each["file"]: each for each in json.loads(found.out)}
    assert {name for name, each in states.items() if each["damaged"]} == {
        "checkpoints/step-0000008/optimizers.safetensors",
        "checkpoints/step-0000008/training.json",
        "log.jsonl",
        f"samples/{picture.name}",
    }
    assert states["log.jsonl"]["about"] == f"{len(lines)} lines, 1 cannot be read"
    assert states["checkpoints/step-0000008/training.json"]["about"] == "it is missing"
    assert "without a checksum" in states["checkpoints/step-0000004/model.safetensors"]["about"]
    assert "set aside" in states["checkpoints/damaged-step-0000008"]["about"]
    assert "4 files of trained are damaged" in call("doctor", "trained").out


def test_a_folder_that_is_named_for_another_step(trained: Path, call) -> None:
    checkpoints = trained / "checkpoints"
    (checkpoints / "step-0000008").rename(checkpoints / "step-0000099")
    found = call("doctor", "trained")
    assert found.code == 1
    assert "it is of step 8, not 99: rename the folder to step-0000008" in found.out
    last = "1 file of trained is damaged; the newest checkpoint that can be used is of step 4"
    assert found.out.splitlines()[-1] == last
    shutil.copytree(checkpoints / "step-0000004", checkpoints / "step-0000008")
    err = call("train", "trained").worked().err
    assert "step-0000099/manifest.json is damaged (and 1 before it): it is of step 8, not 99" in err
    assert "step-0000004: 4 steps after it are trained again" in err, "not 95"
    assert call("doctor", "trained").worked().out.splitlines()[-1] == "trained is whole"


def test_a_checkpoint_of_another_model_in_place_of_the_newest(trained: Path, small_build: list[str], call) -> None:
    other = [word.replace("width=4", "width=9") for word in small_build]
    call(*other, "-o", "other").worked()
    call("train", "other").worked()
    newest = trained / "checkpoints/step-0000008"
    shutil.rmtree(newest)
    shutil.copytree(Path("other/checkpoints/step-0000008"), newest)
    found = call("doctor", "trained")
    assert found.code == 1
    assert "does not fit this run: it contains the weights of another model" in found.out
    assert "does not fit this run: generator.width was 9 when it was trained and is 4" in found.out
    assert found.out.endswith("the newest checkpoint that can be used is of step 4\n")
    assert "--fresh" not in found.out
    assert "use another step: 4" in call("sample", "trained", "--step", "8").error(1)
    for command in (("sample", "trained", "-n", "1", "-o", "one.png"), ("train", "trained")):
        err = call(*command).worked().err
        assert "step-0000008/" in err
        assert "does not fit this run" in err
        assert "trained/checkpoints/step-0000004" in err
    assert call("doctor", "trained").worked().out.splitlines()[-1] == "trained is whole"


def test_what_is_no_run(call) -> None:
    assert "nothing is not a run" in call("doctor", "nothing").error(1)
