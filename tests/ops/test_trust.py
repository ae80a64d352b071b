"""Native code that differs from plain torch is found, and not used where it is checked at first use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from gantk.errors import NativeMismatch
from gantk.ops import hidden_loss, native, trust
from gantk.ops.knn import check as neighbors
from gantk.ops.knn import cpu
from gantk.ops.losses import check as losses
from gantk.ops.losses import kernels, reference
from gantk.report import native_check

CPU = torch.device("cpu")

needs_native = pytest.mark.skipif(not native.available("cpu"), reason="no native code to compare")


@pytest.fixture
def at_first_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU is treated as a GPU is: checked once, before native code is used."""
    monkeypatch.setattr(trust, "CHECKED", {"cpu"})
    trust._checked.cache_clear()
    yield
    trust._checked.cache_clear()


def wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Native code leaves out one of its kernels: memory stays as it was."""
    call = kernels._CALLERS["cpu"]

    def calling(kernel: str, like: Tensor, *rest: Any) -> None:
        if kernel != name:
            call(kernel, like, *rest)

    monkeypatch.setitem(kernels._CALLERS, "cpu", calling)
    monkeypatch.setattr(Tensor, "new_empty", lambda x, size, **kind: x.new_zeros(size, **kind))
    monkeypatch.setattr(torch, "empty_like", torch.zeros_like)


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 2048, generator=generator), torch.randn(64, 2048, generator=generator)


@needs_native
@pytest.mark.parametrize("check", [neighbors.difference, losses.difference])
def test_native_code_of_this_machine_is_right(check: trust.Check) -> None:
    with torch.inference_mode(), torch.autocast("cpu"):
        assert trust.fault(check, CPU) == ""


@needs_native
@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        ("norm_loss_forward", "the distance of order 2, float32: the loss differs by "),
        ("norm_loss_backward", "the distance of order 2, float32: a gradient differs by "),
        ("vae_loss_forward", "vae_loss of kind mse, float32: the loss differs by "),
        ("vae_loss_backward", "vae_loss of kind mse, float32: a gradient differs by "),
    ],
)
def test_a_wrong_kernel_is_found(kernel: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(kernel, monkeypatch)
    assert trust.fault(losses.difference, CPU).startswith(said)


@needs_native
def test_wrong_neighbors_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    search = cpu.search
    monkeypatch.setattr(cpu, "search", lambda *given: (search(*given)[0], search(*given)[1].flip(1)))
    assert trust.fault(neighbors.difference, CPU) == "the neighbors of uint8 points: other indices"


@needs_native
def test_plain_torch_takes_the_place_of_wrong_native_code(
    at_first_use: None, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    a, b = pair()
    with monkeypatch.context() as patch:
        wrong("norm_loss_forward", patch)
        for _ in range(2):
            assert hidden_loss(a, b) == reference.norm_loss(a, b, 2)
    (warning,) = [each for each in recwarn if each.category is NativeMismatch]
    assert str(warning.message).startswith("native code differs from plain torch on cpu (cpu), and is not used there: ")


@needs_native
def test_an_error_of_native_code_counts_as_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: Any) -> None:
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setitem(kernels._CALLERS, "cpu", failing)
    assert trust.fault(losses.difference, CPU) == "no kernel image is available for execution on the device"


@needs_native
def test_right_native_code_is_used_after_one_check_also_when_compiled(
    at_first_use: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[torch.device] = []
    difference = losses.difference
    monkeypatch.setattr(losses, "difference", lambda device: checks.append(device) or difference(device))
    a, b = pair()
    compiled = torch.compile(hidden_loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(a, b), reference.norm_loss(a, b, 2))
    torch.testing.assert_close(hidden_loss(a, b), reference.norm_loss(a, b, 2))
    assert checks == [CPU]


def test_doctor_compares_every_instruction_set() -> None:
    usable = native.state("cpu").usable
    found = native_check.compared()
    assert [(each.operation, each.device) for each in found if each.device.startswith("cpu")] == [
        (name, f"cpu, {instructions}") for instructions in usable for name in ("knn_distances", "fused losses")
    ]
    assert not any(each.fault for each in found)
    assert native_check.compared_text([]) == "native code: none to compare; plain torch is used everywhere"


@needs_native
@pytest.mark.parametrize("off", [False, True])
def test_doctor_check_as_a_command(
    off: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from gantk.cli.doctor import command

    if off:
        monkeypatch.setitem(native_check.OPERATIONS, "fused losses", lambda device: "a gradient differs by 3")
    done = CliRunner().invoke(command, ["--check", "--json"])
    assert done.exit_code == off
    faults = {each["fault"] for each in json.loads(done.stdout) if each["operation"] == "fused losses"}
    assert faults == {"a gradient differs by 3" if off else ""}
