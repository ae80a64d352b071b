"""Call the native losses, which check every argument, in the same way on the CPU and CUDA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gantk.errors import FitError, OptionError, WorkError
from gantk.ops import native

__all__ = [
    "dense_alike",
    "keeps_gradient",
    "norm_backward",
    "norm_forward",
    "norm_forward_with_gradient",
    "room_for",
    "scale_gradient",
    "serves",
    "transformed",
    "vae_backward",
    "vae_forward",
]

# These constants match csrc/losses.
TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
DISTANCES = {"mse": 0, "l1": 1, "bce": 2}
NORMS = {2: 0, 1: 1}

DEVICES = frozenset(device for device in ("cpu", "cuda") if native.available(device))
"""Devices with native code. Determined on import, because torch.compile cannot trace the loading of a module."""


def wide_dtype(x: Tensor) -> torch.dtype:
    """The dtype of the loss for these inputs."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def serves(*tensors: Tensor) -> bool:
    """Whether native code supports these tensors together: their device and their dtypes."""
    device = tensors[0].device
    if device.type not in DEVICES or any(x.device != device or x.dtype not in TYPES for x in tensors):
        return False
    return len({x.dtype == torch.float64 for x in tensors}) == 1


def transformed() -> bool:
    """Whether forward-mode derivatives are computed, or a function is transformed by torch.func.

    Below torch's dispatcher, tangents are not visible: the native operators would silently have none.
    """
    # dual_level keeps its level to itself; it is the only sign of it that costs nothing.
    return forward_ad._current_level >= 0 or torch._C._functorch.maybe_current_level() is not None


def dense_alike(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors as dense memory in the same order, image by image; copied only if necessary."""
    if a.shape != b.shape or a.device != b.device or (a.dtype == torch.float64) != (b.dtype == torch.float64):
        # gantk.ops has checked this already; direct callers of torch.ops.gantk have not.
        raise FitError(
            f"expected two tensors of the same shape, device and dtype, not {list(a.shape)} {a.dtype} and "
            f"{list(b.shape)} {b.dtype}."
        )
    if a.dim() == 0 or len(a) == 0:
        raise FitError(f"expected a batch of at least one, not {list(a.shape)}.")
    if a.is_contiguous() and b.is_contiguous():
        return a, b
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(a.dim())
    if layout and a.is_contiguous(memory_format=layout) and b.is_contiguous(memory_format=layout):
        return a, b
    return a.contiguous(), b.contiguous()


def norm_forward(a: Tensor, b: Tensor, p: int) -> tuple[Tensor, Tensor]:
    """The loss, and the distance of each row, which the gradient needs."""
    a, b = dense_alike(a, b)
    loss = a.new_empty((), dtype=wide_dtype(a))
    norms = a.new_empty(len(a), dtype=loss.dtype)
    sums = [(len(a), a.numel() // len(a))]
    _call("norm_loss_forward", a, _known("p", p, NORMS), a, b, norms, loss, sums=sums)
    return loss, norms


def keeps_gradient(a: Tensor, b: Tensor) -> bool:
    """Whether the forward of a norm loss may compute the gradient for the backward.

    Not in half precision: the gradient would be rounded before a gradient scaler has multiplied it, so small values
    would vanish. Not under torch.compile, which plans the saved tensors itself. CUDA has no kernel for it.
    """
    return _exact(a, b) and a.device.type == "cpu" and not torch.compiler.is_compiling()


def _exact(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and a.dtype in (torch.float32, torch.float64)


def norm_forward_with_gradient(a: Tensor, b: Tensor, p: int, of_b: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, the distance of each row, and the gradient with respect to a or b, which is the negative of a's."""
    if not _exact(a, b):
        raise FitError(f"expected two float32 or two float64 tensors, not {a.dtype} and {b.dtype}.")
    a, b = dense_alike(a, b)
    loss = a.new_empty((), dtype=wide_dtype(a))
    norms = a.new_empty(len(a), dtype=loss.dtype)
    gradient = torch.empty_like(b if of_b else a)
    places = (None, gradient) if of_b else (gradient, None)
    _call("norm_loss_forward_with_gradients", a, _known("p", p, NORMS), a, b, norms, loss, *places)
    return loss, norms, gradient


def scale_gradient(gradient: Tensor, factor: float, opposite: bool) -> Tensor | None:
    """Multiply a gradient in place; return the negative of the result, if requested."""
    if factor == 1 and not opposite:
        return None
    found = torch.empty_like(gradient) if opposite else None
    _call("scale_gradient", gradient, gradient, factor, found)
    return found


def norm_backward(
    grad: Tensor, a: Tensor, b: Tensor, norms: Tensor, p: int, need_a: bool, need_b: bool
) -> list[Tensor]:
    """The gradients that are needed, in order."""
    a, b = dense_alike(a, b)
    of = _gradients((a, b), (need_a, need_b))
    _call("norm_loss_backward", a, _known("p", p, NORMS), a, b, norms, grad, *of)
    return [x for x in of if x is not None]


def vae_forward(images: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor, kind: str, beta: float) -> Tensor:
    """The loss."""
    images, target = dense_alike(images, target)
    mean, log_variance = dense_alike(mean, log_variance)
    loss = images.new_empty((), dtype=wide_dtype(images))
    inputs = (images, target, mean, log_variance)
    sums = [(1, images.numel()), (1, mean.numel())]
    _call("vae_loss_forward", images, _known("kind", kind, DISTANCES), *inputs, beta, loss, sums=sums)
    return loss


def vae_backward(
    grad: Tensor,
    images: Tensor,
    target: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    kind: str,
    beta: float,
    needs: Sequence[bool],
) -> list[Tensor]:
    """The gradients that are needed, in order."""
    images, target = dense_alike(images, target)
    mean, log_variance = dense_alike(mean, log_variance)
    inputs = (images, target, mean, log_variance)
    of = _gradients(inputs, needs)
    _call("vae_loss_backward", images, _known("kind", kind, DISTANCES), *inputs, beta, grad, *of)
    return [x for x in of if x is not None]


def _known(name: str, given: Any, known: Mapping[Any, int]) -> int:
    if given not in known:
        raise OptionError(f"{name} is one of {', '.join(map(str, known))}, not {given!r}.")
    return known[given]


def _gradients(inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """Memory for the gradients that are needed."""
    return [torch.empty_like(x) if needed else None for x, needed in zip(inputs, needs, strict=True)]


def _call(name: str, like: Tensor, *arguments: Any, sums: Sequence[tuple[int, int]] = ()) -> None:
    """Call a native function on the tensors' device; `sums` are the rows and columns of a forward's sums."""
    if transformed():
        raise FitError("torch.ops.gantk has no forward-mode derivatives: use the losses of gantk.ops, which have them.")
    try:
        _CALLERS[like.device.type](name, like, sums, arguments)
    except ValueError as error:  # an argument that gantk.ops would have refused
        raise FitError(f"torch.ops.gantk: {error}.") from None


def _call_cpu(name: str, _: Tensor, __: Sequence[tuple[int, int]], arguments: tuple[Any, ...]) -> None:
    getattr(_module("cpu", native.cpu()), name)(torch.get_num_threads(), *arguments)


def _call_cuda(name: str, like: Tensor, sums: Sequence[tuple[int, int]], arguments: tuple[Any, ...]) -> None:
    module = _module("cuda", native.cuda())
    # Freed before the kernels have run, but reused only by later work on the same stream.
    room = like.new_empty(room_for(module, sums), dtype=torch.float64)
    stream = torch.cuda.current_stream(like.device).cuda_stream
    getattr(module, name)(like.get_device(), stream, room, *arguments)


def room_for(module: ModuleType, sums: Sequence[tuple[int, int]]) -> int:
    """The number of partial sums that the first CUDA kernel passes to the second: one for each span of a row."""
    return sum(rows * max(1, -(-columns // module.loss_span)) for rows, columns in sums)


def _module(part: str, module: ModuleType | None) -> ModuleType:
    if module is None:
        raise WorkError(
            f"the losses of torch.ops.gantk need native code for {part}, which is not available: "
            f"{native.state(part).reason}; use the same losses from gantk.ops, which have a fallback."
        )
    return module


_CALLERS = {"cpu": _call_cpu, "cuda": _call_cuda}
