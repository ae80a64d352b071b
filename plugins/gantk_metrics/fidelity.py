"""Networks as torch-fidelity defines them, whose scores in papers can be compared: Inception and DINOv2."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from gantk import Extractor, require
from gantk.data import to_uint8
from gantk.errors import DataError, WorkError, briefly
from gantk.parts import ImageShape
from gantk_metrics.extras import imported
from gantk_metrics.images import as_taken, check_channels

__all__ = ["DINOv2", "Inception", "read_weights"]

DINO_DIMS = {"small": 384, "base": 768, "large": 1024, "giant": 1536}


class _Fidelity(Extractor):
    """A feature extractor of torch-fidelity, which reads bytes and resizes them itself, as TensorFlow 1 did."""

    network: Any

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        check_channels(image_shape[0], 3)

    def forward(self, images: Tensor) -> Tensor:
        channels_only = (3, *images.shape[2:])
        found: Tensor = self.network(to_uint8(as_taken(images, channels_only)))[0]
        return found.float()


class Inception(_Fidelity):
    """Inception of 2015, whose Fréchet distance is the FID (Heusel et al. 2017), through torch-fidelity.

    Its 1008 classes are those of the Inception Score. Needs `pip install 'gantk[fid]'` and the weights
    `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity's release 0.2.0.

    Args:
        weights: the file of the weights (`.pth`, which is never unpickled, or `.safetensors`).
        download: fetch the weights, 91 MB, from GitHub into torch's cache, checked by checksum, where they are missing.
    """

    paper = "Heusel et al. 2017 (NeurIPS); Szegedy et al. 2016 (CVPR)"
    dim = 2048
    class_count = 1008
    resize = "bilinear to 299x299 as TensorFlow 1, no antialias"

    def __init__(self, image_shape: ImageShape, *, weights: Path | None = None, download: bool = False) -> None:
        super().__init__(image_shape)
        require(
            (weights is not None) != download,
            "its weights are not part of gantk: set either weights=FILE or download=true.",
        )
        module = imported("torch_fidelity.feature_extractor_inceptionv3", "fid")
        found = _downloaded(module.URL_INCEPTION_V3) if weights is None else read_weights(weights)
        # torch-fidelity unpickles what it is given: it is given what was read without.
        with tempfile.TemporaryDirectory(prefix="gantk-") as folder:
            checked = Path(folder) / "inception.pth"
            torch.save(found, checked)
            try:
                self.network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(checked))
            except RuntimeError as error:
                raise DataError(f"{weights}: not the weights of Inception ({briefly(error)}).") from error
        self.eval().requires_grad_(False)

    def classify(self, features: Tensor) -> Tensor:
        """`[N, 1008]` probabilities, from logits without their offsets, as the Inception Score takes them."""
        return torch.softmax(features @ self.network.fc.weight.T, dim=1)


class DINOv2(_Fidelity):
    """DINOv2, trained on photographs without labels (Oquab et al. 2023), through torch-fidelity.

    Needs `pip install 'gantk[fid]'`. Its code and weights are those of Meta, which torch fetches from GitHub and runs;
    once they lie in torch's cache, no network is needed.

    Args:
        model: size of the network.
        download: agree to that.
    """

    paper = "Oquab et al. 2023; Stein et al. 2023 (NeurIPS)"
    resize = "bilinear to 224x224 as TensorFlow 1, no antialias"

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        model: Literal["small", "base", "large", "giant"] = "base",
        download: bool = False,
    ) -> None:
        super().__init__(image_shape)
        require(model in DINO_DIMS, f"model is {', '.join(DINO_DIMS)}, not '{model}'.")
        require(download, "its code and weights are not part of gantk: agree to fetching them with download=true.")
        self.dim = DINO_DIMS[model]
        module = imported("torch_fidelity.feature_extractor_dinov2", "fid")
        try:
            self.network = module.FeatureExtractorDinoV2(f"dinov2-vit-{model[0]}-14", ["dinov2"])
        except (OSError, RuntimeError) as error:
            raise WorkError(f"dinov2 could not be downloaded ({briefly(error)}); check the network.") from error
        self.eval().requires_grad_(False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights; nothing is unpickled that could run code."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path}: not a file of weights ({briefly(error)}).") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__}; tensors by name are expected.")
    return found


def _downloaded(url: str) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise WorkError(f"{url} could not be downloaded ({briefly(error)}): fetch it, and set weights=FILE.") from error
    return found
