"""The forms in which a program is written."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import safetensors.torch
import torch
from torch import Tensor

from gantk.errors import UsageError, WorkError, briefly
from gantk.exports.program import OUTPUT, Program, exported, furthest, quietly
from gantk.model import Model

__all__ = ["FORMATS", "Written"]

LARGEST = 2**31
"""Bytes of an ONNX file, at most: it is one Protocol Buffers message."""


@dataclass(frozen=True)
class Written:
    """A program as a file."""

    name: str
    content: bytes
    difference: float | None
    """The greatest difference between its images and the model's; `None` where it is not a program that can be run."""


Write = Callable[[Program, Model, bool], Written]


def _onnx(program: Program, model: Model, refine: bool) -> Written:
    try:
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise UsageError(
            f"the format onnx needs more packages ({briefly(error)}): pip install 'gantk[onnx]'."
        ) from error
    graph = exported(program, model)
    with quietly():
        found = torch.onnx.export(
            graph, dynamo=True, input_names=list(program.inputs), output_names=[OUTPUT], verbose=False
        )
        assert found is not None
        proto = found.model_proto
    if proto.ByteSize() >= LARGEST:
        raise WorkError("the model is larger than the 2 GiB of an ONNX file: use --format torch-export.")
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        (images,) = session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(images)

    return Written("generator.onnx", content, furthest(run, program, model, refine))


def _torch_export(program: Program, model: Model, refine: bool) -> Written:
    file = io.BytesIO()
    torch.export.save(exported(program, model), file)
    file.seek(0)
    read = torch.export.load(file).module()
    difference = furthest(lambda inputs: read(*inputs.values()), program, model, refine)
    return Written("generator.pt2", file.getvalue(), difference)


def _safetensors(program: Program, model: Model, refine: bool) -> Written:
    weights = {name: value.contiguous().clone() for name, value in program.state_dict().items()}
    return Written("generator.safetensors", safetensors.torch.save(weights), None)


FORMATS: Mapping[str, Write] = MappingProxyType(
    {"onnx": _onnx, "torch-export": _torch_export, "safetensors": _safetensors}
)
"""Format → what writes it."""
