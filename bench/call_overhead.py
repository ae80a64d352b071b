"""The overhead of calling a native operation through torch's stable ABI, and through raw pointers with pybind11.

    python bench/call_overhead.py

Builds the same small kernel both ways in a temporary folder, with the headers of the installed torch, and times the
hidden loss and its backward on maps so small that the call dominates. Rounds alternate between the two; times are
medians over rounds, ratios are medians of the ratios per round. The decision based on them is described in
bench/notes/call-overhead.md.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pybind11
import torch
from common import write
from torch import Tensor

SOURCES = Path(__file__).with_name("call_overhead")
SHAPES = ((2, 8, 4, 4), (64, 128, 4, 4))
CALLS, ROUNDS = 200, 31
SCHEMAS = (
    "hidden_loss(Tensor real, Tensor fake) -> (Tensor, Tensor)",
    "hidden_loss_backward(Tensor upstream, Tensor real, Tensor fake, Tensor distances) -> (Tensor, Tensor)",
)
KEPT: list[torch.library.Library] = []
"""A library's operations go with it."""

Loss = Callable[[Tensor, Tensor], Tensor]


def compile_library(name: str, folder: Path, includes: list[str], extra: list[str]) -> Path:
    """bench/call_overhead/NAME.cpp as a shared library."""
    library = folder / f"{name}.so"
    headers = [f"-I{place}" for place in (SOURCES, *includes)]
    flags = ["-std=c++20", "-O3", "-mavx2", "-mfma", "-fPIC", "-shared", "-fvisibility=hidden"]
    subprocess.run(["c++", *flags, *headers, str(SOURCES / f"{name}.cpp"), "-o", str(library), *extra], check=True)
    return library


def stable_operations(namespace: str, folder: Path) -> Any:
    """torch.ops.NAMESPACE: both operations, dispatched to C++ without Python."""
    place = Path(torch.__file__).parent
    links = [f"-L{place / 'lib'}", "-ltorch_cpu", "-ltorch", "-lc10"]
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    target = f"-DTORCH_TARGET_VERSION=0x{major:02x}{minor:02x}000000000000"
    extra = [target, f"-DNAMESPACE={namespace}", *links]
    library = compile_library("stable", folder, [str(place / "include")], extra)
    torch.ops.load_library(str(library.rename(folder / f"{namespace}.so")))
    return getattr(torch.ops, namespace)


def pointers(folder: Path) -> Any:
    """The pybind11 module."""
    library = compile_library("pointers", folder, [pybind11.get_include(), sysconfig.get_path("include")], [])
    spec = importlib.util.spec_from_file_location("pointers", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Pointers:
    """The kernels on tensors, as Python calls them: what gantk.ops would have."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def forward(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        batch = real.shape[0]
        loss, distances = real.new_empty(()), real.new_empty(batch)
        size = real.numel() // batch
        self.module.forward(real.data_ptr(), fake.data_ptr(), loss.data_ptr(), distances.data_ptr(), batch, size)
        return loss, distances

    def backward(self, upstream: Tensor, real: Tensor, fake: Tensor, distances: Tensor) -> tuple[Tensor, Tensor]:
        real_gradient, fake_gradient = torch.empty_like(real), torch.empty_like(fake)
        inputs = (upstream.data_ptr(), real.data_ptr(), fake.data_ptr(), distances.data_ptr())
        outputs = (real_gradient.data_ptr(), fake_gradient.data_ptr())
        self.module.backward(*inputs, *outputs, real.shape[0], real.numel() // real.shape[0])
        return real_gradient, fake_gradient


def register_derivative(name: str, backward: Any) -> None:
    """`torch.library.register_autograd`, the documented way."""

    def save(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs, output[1])
        ctx.set_materialize_grads(False)  # the distances have none

    def derive(ctx: Any, upstream: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor]:
        gradients: tuple[Tensor, Tensor] = backward(upstream, *ctx.saved_tensors)
        return gradients

    torch.library.register_autograd(name, derive, setup_context=save)


def function(forward: Any, backward: Any) -> Any:
    """The same derivative as a `torch.autograd.Function`."""

    class HiddenLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
            loss, distances = forward(real, fake)
            ctx.save_for_backward(real, fake, distances)
            ctx.mark_non_differentiable(distances)
            ctx.set_materialize_grads(False)
            return loss, distances

        @staticmethod
        def backward(ctx: Any, upstream: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor]:
            gradients: tuple[Tensor, Tensor] = backward(upstream, *ctx.saved_tensors)
            return gradients

    return HiddenLoss.apply


def as_function(operations: Any) -> Any:
    """An autograd.Function around operations that have no derivative of their own."""
    return function(operations.hidden_loss.default, operations.hidden_loss_backward.default)


def redispatching(library: torch.library.Library) -> Any:
    """The operation whose Autograd kernel is an autograd.Function that calls it again, below autograd."""
    operations = getattr(torch.ops, library.ns)
    operation = operations.hidden_loss.default

    def below(real: Tensor, fake: Tensor) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            return operation(real, fake)

    apply = function(below, operations.hidden_loss_backward.default)

    def derived(real: Tensor, fake: Tensor) -> Any:
        wanted = torch.is_grad_enabled() and (real.requires_grad or fake.requires_grad)
        return apply(real, fake) if wanted else below(real, fake)

    library.impl("hidden_loss", derived, "Autograd")
    return operation


def first(operation: Any) -> Loss:
    return lambda real, fake: operation(real, fake)[0]


def ways(folder: Path) -> dict[str, Loss]:
    """Every way to call the loss, by name."""
    kernels = Pointers(pointers(folder))
    for namespace in ("pointers_registered", "pointers_plain", "pointers_redispatch"):
        library = torch.library.Library(namespace, "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        library.impl("hidden_loss", kernels.forward, "CPU")
        library.impl("hidden_loss_backward", kernels.backward, "CPU")
        KEPT.append(library)
    custom, custom_backward = (
        torch.library.custom_op(f"overhead_custom::{schema.split('(')[0]}", function, mutates_args=())
        for schema, function in zip(SCHEMAS, (kernels.forward, kernels.backward), strict=True)
    )
    stable, stable_plain = (stable_operations(name, folder) for name in ("stable_registered", "stable_plain"))
    registered, plain = torch.ops.pointers_registered, torch.ops.pointers_plain
    register_derivative("stable_registered::hidden_loss", stable.hidden_loss_backward.default)
    register_derivative("pointers_registered::hidden_loss", registered.hidden_loss_backward.default)
    register_derivative("overhead_custom::hidden_loss", custom_backward)
    return {
        "eager": lambda real, fake: (real - fake).flatten(1).norm(dim=1).mean(),
        "stable, register_autograd": first(stable.hidden_loss.default),
        "stable, autograd.Function around it": first(as_function(stable_plain)),
        "pointers, custom_op, register_autograd": first(custom),
        "pointers, Library.impl, register_autograd": first(registered.hidden_loss.default),
        "pointers, Library.impl, autograd.Function around it": first(as_function(plain)),
        "pointers, Library.impl, autograd.Function as its Autograd kernel": first(redispatching(KEPT[-1])),
        "pointers, autograd.Function, no dispatcher": first(function(kernels.forward, kernels.backward)),
    }


def call_time(loss: Loss, real: Tensor, fake: Tensor, derive: bool) -> float:
    """Seconds of one call, as the mean of a round."""
    start = time.perf_counter()
    for _ in range(CALLS):
        value = loss(real, fake)
        if derive:
            torch.autograd.grad(value, (real, fake))
    return (time.perf_counter() - start) / CALLS


def measure(losses: dict[str, Loss], shape: tuple[int, ...]) -> dict[str, Any]:
    """Microseconds of a call and the ratio to the eager one's, forward alone (no gradient) and with backward."""
    rng = torch.Generator().manual_seed(0)
    pairs = {
        derive: [torch.randn(shape, generator=rng).requires_grad_(derive) for _ in range(2)] for derive in (False, True)
    }
    seconds: dict[tuple[str, bool], list[float]] = {(name, derive): [] for name in losses for derive in pairs}
    for turn in range(ROUNDS + 2):
        for (name, derive), found in seconds.items():
            taken = call_time(losses[name], *pairs[derive], derive)
            if turn >= 2:  # the first rounds warm up
                found.append(taken)
    table: dict[str, Any] = {}
    for name in losses:
        row = {}
        for derive, label in ((False, "forward"), (True, "forward and backward")):
            taken, eager = seconds[name, derive], seconds["eager", derive]
            ratio = statistics.median(mine / theirs for mine, theirs in zip(taken, eager, strict=True))
            row[label] = {"us": round(1e6 * statistics.median(taken), 2), "of eager": round(ratio, 3)}
        table[name] = row
    return table


def agree(losses: dict[str, Loss]) -> None:
    """Every way gives eager's value and gradients."""
    real, fake = (torch.randn(5, 3, 7, 2, requires_grad=True) for _ in range(2))
    for name, loss in losses.items():
        expected = losses["eager"](real, fake)
        found = loss(real, fake)
        torch.testing.assert_close(found, expected, msg=name)
        for one, other in zip(*(torch.autograd.grad(v, (real, fake)) for v in (found, expected)), strict=True):
            torch.testing.assert_close(one, other, msg=name)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        losses = ways(Path(folder))
        agree(losses)
        results = {"x".join(map(str, shape)): measure(losses, shape) for shape in SHAPES}
    for shape, table in results.items():
        print(f"{shape}, float32, one thread")
        for name, row in table.items():
            cells = [f"{label} {cell['us']:8.2f} us {cell['of eager']:6.3f}" for label, cell in row.items()]
            print(f"  {name:65s} {'   '.join(cells)}")
    protocol = {
        "calls": CALLS,
        "rounds": ROUNDS,
        "order": "interleaved",
        "ratios": "medians of the rounds' ratios",
        "threads": "kernels have one; eager too",
        "command": " ".join(sys.argv),
    }
    print(write("call_overhead", protocol, results))


if __name__ == "__main__":
    main()
