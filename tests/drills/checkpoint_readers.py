"""Checkpoints as others may have written them, each with valid inputs that a fuzzer changes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from drills.fuzz import Reader
from drills.run_readers import small_spec
from drills.steps import each_of, zipped
from drills.structure import changed_json
from torch import nn

from gantk.data.content import difference_of_data
from gantk.run.checkpoints import OPTIMIZERS, TRAINING, WEIGHTS, Place, check_weights, read_training, read_weights
from gantk.run.former import TRAINING_PT
from gantk.run.manifest import MANIFEST, _rendered, read_manifest
from gantk.run.optimizer_states import flat, load_states, states_of
from gantk.run.tensors import pieces
from gantk.run.unchanged import check_same_parts, trained_settings
from gantk.training.averages import Averages

__all__ = ["former", "manifest", "safetensors", "training"]

PLACE = Place(0, 2, 2)
DATA = {"images": 4, "image_shape": [1, 2, 2], "classes": ["a", "b"], "labels": "00", "content": "ff"}


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@cache
def _trained() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = _network()
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(2):
        network(torch.randn(4, 2)).sum().backward()
        optimizer.step()
    return network, optimizer


def _file(tensors: Mapping[str, torch.Tensor]) -> bytes:
    return b"".join(map(bytes, pieces(tensors)))


def _seal(folder: Path, files: Mapping[str, bytes]) -> None:
    """A checkpoint with a manifest that is right."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    entries = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in files.items()}
    body = {"format": 1, "gantk": "0.1.0", "torch": "2", "step": PLACE.total, "files": entries}
    (folder / MANIFEST).write_bytes(_rendered(body))


def safetensors() -> Reader:
    """Weights."""
    network = _trained()[0]
    tensors: dict[str, torch.Tensor] = dict(network.state_dict())
    others = {"a": torch.zeros(2, 0), "b": torch.zeros(3, dtype=torch.bfloat16), "c": torch.tensor(True)}

    def read(data: bytes, folder: Path) -> None:
        _seal(folder, {WEIGHTS: data})
        fake: Any = network
        each_of(lambda: read_weights(folder), lambda: check_weights(fake, read_weights(folder, fake), folder))

    words = [
        b"data_offsets",
        b'"F32"',
        b'"F8_E4M3"',
        b'"F4"',
        b'"C64"',
        b'"BOOL"',
        b"shape",
        b"__metadata__",
        b"[0,0]",
        b"\0" * 8,
    ]
    return Reader([_file(tensors), _file(others)], read, words)


def training() -> Reader:
    """The state of training: JSON, and the states of optimizers."""
    network, optimizer = _trained()
    tensors, others = flat(states_of({"net.work": optimizer}))
    averages = Averages(clock=lambda: 1.0)
    averages.add({"a": 1.0, "b": torch.tensor(2.0)})
    about = {"place": asdict(PLACE), "players": others, "trained": trained_settings(small_spec()), "data": DATA}
    files = {OPTIMIZERS: _file(tensors), TRAINING: json.dumps({**about, "interval": averages.state()}).encode()}

    def read(data: bytes, folder: Path) -> None:
        _seal(folder, {**files, TRAINING if data[:1] in (b"{", b"[") else OPTIMIZERS: data})
        _resumed(folder, network)

    words = [
        b'"exp_avg"',
        b'"step"',
        b"net.work.0.",
        b"data_offsets",
        b'"place"',
        b'"sums"',
        b'"counts"',
        b'"classes"',
        b"1000",
    ]
    return Reader([*files.values()], read, words, restructure=changed_json)


def _resumed(folder: Path, network: nn.Module) -> None:
    """Everything that resuming does with the state of training."""
    fake: Any = network
    state = read_training(folder, fake)
    optimizer = torch.optim.Adam(network.parameters())
    load_states({"net.work": optimizer}, state.optimizers, folder, {"net.work": PLACE.total})
    network.zero_grad()
    optimizer.step()
    averages = Averages(state.interval)
    averages.add({"a": 1.0, "b": torch.tensor(2.0)})
    averages.take()
    if state.data:
        difference_of_data(state.data, DATA)
    check_same_parts(small_spec(), folder, state.trained)


def former() -> Reader:
    """`training.pt` of runs of version 0.1."""
    network, optimizer = _trained()
    state = {
        "place": asdict(PLACE),
        "optimizers": {"net.work": optimizer.state_dict()},
        "trained": json.dumps(trained_settings(small_spec())),
        "data": json.dumps(DATA),
        "interval": {"sums": {"a": torch.tensor(1.0)}, "counts": {"a": 1}, "seconds": 2.0},
    }
    stream = io.BytesIO()
    torch.save(state, stream)
    with zipfile.ZipFile(stream) as packed:
        entries = {each.filename: packed.read(each) for each in packed.infolist()}
    (inner,) = (content for name, content in entries.items() if name.endswith("data.pkl"))

    def repaired(data: bytes) -> bytes:
        if data[:1] != b"\x80":
            return data
        return zipped({name: data if name.endswith("data.pkl") else content for name, content in entries.items()}, 0)

    def read(data: bytes, folder: Path) -> None:
        (folder / TRAINING_PT).write_bytes(data)
        _resumed(folder, network)

    words = [
        b"torch._utils\n_rebuild_tensor_v2\n",
        b"storage",
        b"collections\nOrderedDict\n",
        b"q\0",
        b"h\0",
        b"R",
        b"t",
        b"\x8a",
    ]
    return Reader([stream.getvalue(), inner], read, words, repaired)


def manifest() -> Reader:
    """Manifests."""
    files = {WEIGHTS: b"a", TRAINING: b"{}"}

    def read(data: bytes, folder: Path) -> None:
        if not (folder / WEIGHTS).exists():
            _seal(folder, files)
        (folder / MANIFEST).write_bytes(data)
        found = read_manifest(folder)
        found.check_step()
        found.check_lengths()
        for name in files:
            found.read(name, bytes)

    def repaired(data: bytes) -> bytes:
        try:
            body = json.loads(data)
            return _rendered({name: value for name, value in body.items() if name != "sha256"})
        except (ValueError, AttributeError, RecursionError):
            return data

    folder = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in files.items()}
    seed = _rendered({"format": 1, "gantk": "0.1.0", "torch": "2", "step": 2, "files": folder})
    return Reader(
        [seed], read, [b'"format"', b'"files"', b'"bytes"', b'"../x"', b'"sha256"', b"{", b"}"], repaired, changed_json
    )
