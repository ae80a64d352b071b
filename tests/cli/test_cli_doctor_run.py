"""doctor RUN: whether the files of a run hold."""

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
    """A checkpoint of gantk 0.1 has no checksums, and is not called damaged for that."""
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


def test_what_is_no_run(call) -> None:
    assert "nothing is not a run" in call("doctor", "nothing").error(1)
