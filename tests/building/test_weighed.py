"""Models that are too large are refused before they take memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import memory
from gantk.building.weighed import TooLarge, Weighed
from gantk.cli.main import main
from gantk.errors import CheckpointError, OptionError
from gantk.run.checkpoints import read_weights


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.VARIABLE, "10MB")


LARGE: dict[str, Callable[[], object]] = {
    "a layer": lambda: nn.Linear(10_000, 10_000),
    "many layers": lambda: [nn.Linear(100, 1000) for _ in range(30)],
    "many small tensors": lambda: [torch.ones(40, 50) for _ in range(3000)],
    "every pair": lambda: torch.outer(torch.ones(2000), torch.ones(2000)),
    "a square": lambda: torch.eye(10_000),
    "a billion layers": lambda: [nn.Linear(1, 1) for _ in range(10**9)],
    "random numbers": lambda: torch.rand(10_000, 10_000, generator=torch.Generator()),
    "repeated": lambda: torch.ones(10).repeat(10_000_000),
    "like another": lambda: torch.zeros(3).new_zeros(10_000, 10_000),
    "like an empty one": lambda: torch.zeros(0).new_zeros(10_000, 10_000),
    "double precision": lambda: torch.outer(torch.ones(1200).double(), torch.ones(1200).double()),
    "counted": lambda: torch.arange(100_000_000),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_what_would_be_too_large_is_not_made(make: Callable[[], object]) -> None:
    with pytest.raises(TooLarge, match=r"more than the 10\.0 MB that they may take here"), Weighed():
        make()


def test_what_is_released_counts_no_longer() -> None:
    with Weighed():
        made = [nn.Linear(1000, 1000).weight.numel() for _ in range(20)]
        view = torch.ones(3).expand(10**12, 3)
    assert sum(made) * 4 > 10_000_000, "together they are more than the limit"
    assert view.shape == (10**12, 3)


def test_the_limit_itself_may_be_taken() -> None:
    with Weighed():
        torch.ones(2_500_000).mul_(2)


def test_what_is_there_counts() -> None:
    def two() -> list[Tensor]:
        return [torch.ones(1_500_000), torch.ones(1_500_000)]

    with pytest.raises(TooLarge, match=r"weights of 12\.1 MB are more than the 10\.0 MB"), Weighed():
        two()


def test_shapes_without_memory_weigh_nothing() -> None:
    with Weighed():
        large = torch.empty(10_000, 10_000, device="meta")
        assert (large @ large).shape == (10_000, 10_000)


SAME: dict[str, Callable[[], Tensor]] = {
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(5, 7)),
    "half precision": lambda: torch.full((100, 100), 2, dtype=torch.float16),
    "own random numbers": lambda: torch.rand(100, 100, generator=torch.Generator().manual_seed(3)),
    "drawn by a tensor": lambda: torch.bernoulli(torch.full((100, 100), 0.5)),
    "of any number": lambda: (torch.arange(10_000.0) % 7).nonzero(),
    "no tensor": lambda: torch.tensor(torch.is_same_size(torch.ones(100, 100), torch.ones(100, 100))),
    "sparse": lambda: torch.eye(100).to_sparse_csr() @ torch.ones(100, 100),
    "normalized": lambda: nn.BatchNorm1d(100)(torch.rand(100, 100)),
}


@pytest.mark.parametrize("make", SAME.values(), ids=SAME.keys())
def test_tensors_are_the_same_when_they_are_weighed(make: Callable[[], Tensor]) -> None:
    torch.manual_seed(0)
    usual, following = make(), torch.rand(3)
    torch.manual_seed(0)
    with Weighed():
        weighed = make()
    assert weighed.dtype == usual.dtype
    assert torch.equal(weighed, usual)
    assert torch.equal(torch.rand(3), following), "no further random numbers are drawn"


class Huge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(100_000, 100_000)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"noise": "de:dim=100000"}, "noise 'de'"),
        ({"generator": "dcgan:width=20000"}, "generator 'dcgan'"),
        ({"generator": Huge}, "generator 'Huge'"),
    ],
)
def test_build_says_which_part_is_too_large(parts: dict[str, object], name: str) -> None:
    before = time.process_time()
    with pytest.raises(TooLarge, match=name):
        gantk.build(**parts)  # type: ignore[arg-type]
    assert time.process_time() - before < 60  # and tries no other parts in its place, nor allocates


def test_an_option_larger_than_any_size_is_refused() -> None:
    for size in ("1e30", str(1 << 63), "9" * 5000):
        with pytest.raises(OptionError, match="fmap_max takes int"):
            gantk.build(generator=f"progan:fmap_max={size}")


def test_the_command_line_allows_more_or_less(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for size, said in (("1MB", "may take here"), ("much", "is a size, such as 16GB, not 'much'")):
        monkeypatch.setattr("sys.argv", ["gantk", "build", "--dry-run", "--memory", size])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_sizes() -> None:
    sizes = {"16GB": 16 * 10**9, "1.5 GiB": 3 << 29, "200k": 200_000, "7": 7, "": 0}
    assert {text: memory.as_bytes(text) for text in sizes} == sizes
    for text in ("0", "-1GB", "GB", "1 PB", "9" * 400, "nan"):
        with pytest.raises(OptionError, match="is a size"):
            memory.as_bytes(text)
    assert [memory.as_text(count) for count in (5, 1500, 2.9e9, 4e15)] == ["5 bytes", "1.5 kB", "2.9 GB", "4,000.0 TB"]
    assert memory.machine() > 1 << 28


def test_weights_for_no_known_model_are_read_up_to_a_limit(tmp_path: Path) -> None:
    """A sparse file takes no disk, and would take all memory."""
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(11 << 30)
    with pytest.raises(CheckpointError, match="expected at most 20000000"):
        read_weights(tmp_path)


def test_a_batch_larger_than_the_memory_is_refused() -> None:
    with pytest.raises(OptionError, match=r"1,000,000,000,000 images per batch take 3,136\.0 TB, more than"):
        gantk.build(
            noise="gaussian:dim=3",
            generator="dcgan:width=2",
            discriminator="dcgan:width=2",
            settings={"stages.game.batch_size": 10**12},
        )
