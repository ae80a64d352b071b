"""Text that is meant to exhaust memory, the stack or a reader's patience costs one error of one line."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from unittest import mock

import pytest
import torch

from gantk import json_text, toml
from gantk.errors import DamagedCheckpoint, RunError
from gantk.files import LARGEST
from gantk.report.checked import checked
from gantk.run import entries
from gantk.run.entries import log_lines
from gantk.run.folder import Run
from gantk.run.former import former_training
from gantk.run.history import read_history
from gantk.run.manifest import MANIFEST, read_manifest

HOSTILE = {
    "2,000 brackets": "a = " + "[" * 2000,
    "2,000 brackets after a string that ends in quotes": 'x = """a"""""\na = ' + "[" * 2000,
    "2,000 tables": "a = " + "{b = " * 2000,
    "an integer of 4,301 digits": "a = " + "9" * 4301,
    "a hexadecimal integer of as many": "a = 0x" + "f" * 4301,
    "a key of 20,000 parts": ".".join("k" * 20_000) + " = 1",
    "a table of 20,000 parts": "[" + ".".join("k" * 20_000) + "]",
    "more than any document": "#" * (toml.LARGEST + 1),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_toml_is_damaged(text: str, tmp_path: Path) -> None:
    with pytest.raises(toml.TOMLDecodeError):
        toml.loads(text)
    run = Run(tmp_path)
    for path, read in ((run.model_toml, run.spec), (run.path / "history.toml", lambda: read_history(run))):
        path.write_text(text)
        with pytest.raises(RunError, match=r"(model|history)\.toml is damaged") as caught:
            read()
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        'text = "' + "[" * 2000 + "." * 2000 + '"',
        "text = '''\n" + "[" * 2000 + "'''",
        "# " + "[" * 2000,
        "\n".join(f"[table.number-{n}]\nitems = [1.5, {{a.b = 2020-01-01}}]" for n in range(200)),
        'a = "' + "1" * 5000 + '"',
    ],
)
def test_long_texts_and_many_tables_are_read(text: str) -> None:
    toml.loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 4301, str(1 << 64), b"\xff\xfe1", '{"a":', ""])
def test_hostile_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json_text.loads(text)
    assert json_text.loads('{"a": [1, -18446744073709551615, 1e400]}')["a"][:2] == [1, 1 - (1 << 64)]


def test_a_file_larger_than_any_is_not_read(tmp_path: Path) -> None:
    """A sparse file takes no disk, and would take all memory."""
    run = Run(tmp_path)
    run.rewrite({"seed": 0})
    with run.model_toml.open("ab") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(RunError, match=rf"cannot be read: it has {LARGEST + 1} bytes; expected at most {LARGEST}"):
        run.spec()
    with run.log_file.open("wb") as file:
        file.truncate(entries.LARGEST + 1)
    with pytest.raises(RunError, match="expected at most 268435456"):
        log_lines(run.log_file)
    found = {each.file: each for each in checked(run)}
    assert found["model.toml"].damaged
    assert found["log.jsonl"].damaged


def test_a_line_of_the_log_that_is_too_long_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "LONGEST", 64)
    lines = [{"step": step, "values": {"a": float(step)}} for step in (1, 2)]
    first, second = (json.dumps(line) for line in lines)
    file = tmp_path / "log.jsonl"
    file.write_text(f"\ufeff{first}\n{'x' * 1000}\n{second}\n" + '{"step": 3, "values": {}, "time": [1]}\n')
    assert log_lines(file) == (lines, 2)


@pytest.mark.parametrize("step", ["1e308", "-1", "true", '"2"', str((1 << 64) - 1)])
def test_the_step_of_the_best_checkpoint_is_a_step(step: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.checkpoints_folder.mkdir()
    run.best_file.write_text(f'{{"step": {step}, "figure": "prdc/coverage", "value": 0.5}}')
    with pytest.raises(RunError, match=r"best\.json is damaged \(its step is"):
        run.best()


@pytest.mark.parametrize("name", ["\ud800", "a" * 300, "../model.safetensors", "a\0b", ""])
def test_files_of_a_checkpoint_have_plain_names(name: str, tmp_path: Path) -> None:
    entry = {"bytes": 1, "sha256": "0" * 64}
    body = {"format": 1, "gantk": "0.1.0", "torch": "2", "step": 2, "files": {name: entry}}
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    (tmp_path / MANIFEST).write_text(json.dumps({**body, "sha256": digest}, indent=1) + "\n")
    with pytest.raises(DamagedCheckpoint, match="not what was written"):
        read_manifest(tmp_path)


def test_a_former_state_that_unpacks_to_more_than_it_is_is_not_read() -> None:
    stream = io.BytesIO()
    torch.save({"place": {}, "big": torch.zeros(100_000)}, stream)
    packed = io.BytesIO()
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as smaller:
        for entry in whole.infolist():
            smaller.writestr(entry.filename, whole.read(entry))
    assert len(packed.getvalue()) < 10_000
    with mock.patch("torch.load") as load, pytest.raises(ValueError, match="cannot read it"):
        former_training(packed.getvalue())
    load.assert_not_called()
