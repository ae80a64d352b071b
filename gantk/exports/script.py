"""A short script that draws a picture with an exported program, without gantk."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["CONDITIONS", "NOISE", "SCRIPTS", "script"]

NOISE, CONDITIONS = "noise.npy", "conditions.npy"

_ONNX = """import onnxruntime

session = onnxruntime.InferenceSession(folder / "generator.onnx")
(images,) = session.run(None, inputs)
"""

_TORCH = """import torch

generator = torch.export.load(folder / "generator.pt2").module()
images = generator(*map(torch.from_numpy, inputs.values())).detach().numpy()
"""

SCRIPTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"onnx": ("onnxruntime", _ONNX), "torch-export": ("torch", _TORCH)}
)
"""Format → the package that runs it, and how."""

_DRAWN = MappingProxyType(
    {
        "normal": "np.random.default_rng().standard_normal((64, {dim}), dtype=np.float32)",
        "uniform": "np.random.default_rng().uniform(-1, 1, (64, {dim})).astype(np.float32)",
    }
)


def script(form: str, dim: int, conditional: bool, distribution: str | None) -> str:
    """The script for a format.

    Args:
        form: the format.
        dim: length of one noise vector.
        conditional: whether the program has an input for conditions.
        distribution: the distribution of the noise, as noise sources name it.
    """
    needs, run = SCRIPTS[form]
    before, after = run.split("\n\n")
    known = _DRAWN.get(distribution or "")
    new = f"  # or new noise: {known.format(dim=dim)}" if known else ""
    condition = f', "condition": np.load(folder / "{CONDITIONS}")' if conditional else ""
    return f'''"""Draw grid.png with numpy, pillow and {needs}."""

from pathlib import Path

import numpy as np
{before}
from PIL import Image

folder = Path(__file__).parent
inputs = {{"noise": np.load(folder / "{NOISE}"){condition}}}{new}
{after}pixels = ((images + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
rows = [np.concatenate(list(row), axis=2) for row in np.split(pixels, 8)]
Image.fromarray(np.concatenate(rows, axis=1).transpose(1, 2, 0).squeeze()).save("grid.png")
'''
