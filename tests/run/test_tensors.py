"""Tensors in files: what is written is a safetensors file, and what differs from a model is said."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from gantk.run.tensors import TYPES, difference, first_not_finite, pieces, size, tensors_of


def written(tensors: dict[str, Tensor]) -> bytes:
    return b"".join(bytes(piece) for piece in pieces(tensors))


def of_every_type() -> dict[str, Tensor]:
    return {f"{n:05}"[: n % 6 + 1] + "x" * n: torch.ones(n % 4, 3).to(kind) for n, kind in enumerate(reversed(TYPES))}


def test_every_type_is_read_back_by_the_formats_own_library() -> None:
    given = of_every_type()
    for found in (load(written(given)), tensors_of(written(given))):
        assert found.keys() == given.keys()
        for name, tensor in given.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"])
def test_numbers_are_aligned(name: str) -> None:
    """So that a file can be mapped into memory; the format asks for it."""
    content = written({name: torch.ones(3), "0": torch.ones(1, dtype=torch.uint8), "z": torch.ones(1).double()})
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert (8 + length) % 8 == 0
    assert length - len(json.dumps(header, separators=(",", ":"))) < 8
    assert header["z"]["data_offsets"] == [0, 8]
    assert header[name]["data_offsets"] == [8, 20]
    assert header["0"]["data_offsets"] == [20, 21]


def test_the_same_tensors_are_the_same_bytes_in_whatever_order_they_come() -> None:
    given = of_every_type()
    assert written(given) == written(dict(reversed(given.items())))


def test_a_view_is_written_as_what_it_shows() -> None:
    table = torch.arange(12.0).reshape(3, 4)
    found = load(written({"turned": table.T, "column": table[:, 1], "learned": table.clone().requires_grad_()}))
    assert torch.equal(found["turned"], table.T)
    assert torch.equal(found["column"], table[:, 1])


def test_types_that_no_model_has() -> None:
    odd = torch.ones(2).to(torch.float8_e5m2)
    with pytest.raises(ValueError, match=r"w is of torch\.float8_e5m2, which cannot be saved"):
        written({"w": odd})
    with pytest.raises(ValueError, match="w is of float8_e5m2, which no model has"):
        tensors_of(save({"w": odd}))


LONG = {"ß" * 400 + str(n): torch.ones(1) for n in range(50)}


@pytest.mark.parametrize("given", [{}, of_every_type(), LONG, {"large": torch.ones(1000, 9)}])
def test_no_file_is_longer_than_its_size(given: dict[str, Tensor]) -> None:
    length = len(written(given))
    assert length <= size(given) <= 3 * length + 2000 * (1 + len(given))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("wb", ""),
        ("w", "b is only in the model"),
        ("wbx", "x is only there"),
        ("wbcde", "c, d, e are only there"),
        ("wbcdef", "c, d, e, … are only there"),
    ],
)
def test_names_that_differ(found: str, said: str) -> None:
    assert difference({name: torch.ones(2) for name in found}, {name: torch.ones(2) for name in "wb"}) == said


def test_shapes_and_types_that_differ() -> None:
    model = {"w": torch.ones(2, 3), "b": torch.ones(3), "count": torch.tensor(3)}
    assert difference({**model, "w": torch.ones(3, 2)}, model) == "w is [3, 2] there and [2, 3] in the model"
    halved = {name: each.half() if each.is_floating_point() else each for name, each in model.items()}
    assert difference(halved, model) == "", "all of it in half precision"
    assert difference({**model, "w": model["w"].half()}, model) == "w is of float16 there and of float32 in the model"
    assert difference({**model, "count": torch.tensor(3.0)}, model) == (
        "count is of float32 there and of int64 in the model"
    )
    assert difference({**model, "b": torch.ones(3).int()}, model) == "b is of int32 there and of float32 in the model"


def test_only_what_is_not_finite_is_named() -> None:
    large = torch.full((4,), torch.finfo(torch.float32).max)
    assert first_not_finite({"whole": torch.ones(2).int(), "large": large}) is None, "though their sum overflows"
    for odd in (torch.inf, -torch.inf, torch.nan):
        assert first_not_finite({"a": torch.ones(2), "b": torch.tensor([0, odd])}) == "b"
