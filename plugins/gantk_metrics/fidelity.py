"""Inception and DINOv2 through torch-fidelity, for scores that can be compared with papers."""

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
from gantk.permissions import check_download
from gantk_metrics.extras import imported
from gantk_metrics.images import as_taken, check_channels

__all__ = ["DINOv2", "Inception", "read_weights"]

MEND = "gantk train RUN --allow-download, or download it with another command first"
"""How a user allows a download."""

DINO_DIMS = {"small": 384, "base": 768, "large": 1024, "giant": 1536}


class _Fidelity(Extractor):
    """A feature extractor of torch-fidelity; its input is bytes, which it resizes as TensorFlow 1 did."""

    network: Any

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        check_channels(image_shape[0], 3)

    def forward(self, images: Tensor) -> Tensor:
        channels_only = (3, *images.shape[2:])
        found: Tensor = self.network(to_uint8(as_taken(images, channels_only)))[0]
        return found.float()


class Inception(_Fidelity):
    """Inception of 2015 through torch-fidelity: its Fréchet distance is the FID (Heusel et al. 2017).

    Its 1008 classes are those of the Inception Score. It needs `pip install 'gantk[fid]'` and the weights
    `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity's release 0.2.0.

    Args:
        weights: the file with the weights, `.pth` (read without executing code) or `.safetensors`.
        download: download the weights (91 MB, verified by checksum) from GitHub if they are not in torch's cache.
    """

    paper = "Heusel et al. 2017 (NeurIPS); Szegedy et al. 2016 (CVPR)"
    dim = 2048
    class_count = 1008
    resize = "bilinear to 299x299 as TensorFlow 1, no antialias"

    def __init__(self, image_shape: ImageShape, *, weights: Path | None = None, download: bool = False) -> None:
        super().__init__(image_shape)
        module = imported("torch_fidelity.feature_extractor_inceptionv3", "fid")
        require(
            (weights is not None) != download,
            "the weights of Inception are not part of gantk: set either weights=FILE or download=true.",
        )
        found = _downloaded(module.URL_INCEPTION_V3) if weights is None else read_weights(weights)
        # torch-fidelity unpickles its file, so pass it a file that contains only tensors.
        with tempfile.TemporaryDirectory(prefix="gantk-") as folder:
            checked = Path(folder) / "inception.pth"
            torch.save(found, checked)
            try:
                self.network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(checked))
            except RuntimeError as error:
                raise DataError(f"{weights} does not contain the weights of Inception ({briefly(error)}).") from error
        self.eval().requires_grad_(False)

    def classify(self, features: Tensor) -> Tensor:
        """`[N, 1008]` probabilities, from logits without biases, as for the Inception Score."""
        return torch.softmax(features @ self.network.fc.weight.T, dim=1)


class DINOv2(_Fidelity):
    """DINOv2, trained on photographs without labels (Oquab et al. 2023), through torch-fidelity.

    It needs `pip install 'gantk[fid]'`. torch downloads Meta's code and weights from GitHub and runs the code; later
    they are read from torch's cache.

    Args:
        model: size of the network.
        download: allow the download; must be true.
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
        module = imported("torch_fidelity.feature_extractor_dinov2", "fid")
        require(model in DINO_DIMS, f"model must be one of {', '.join(DINO_DIMS)}, not '{model}'.")
        require(download, "the code and weights of DINOv2 are not part of gantk: set download=true to download them.")
        self.dim = DINO_DIMS[model]
        check_download("dinov2", MEND)
        try:
            self.network = module.FeatureExtractorDinoV2(f"dinov2-vit-{model[0]}-14", ["dinov2"])
        except (OSError, RuntimeError) as error:
            raise WorkError(f"cannot download dinov2 ({briefly(error)}): check the network.") from error
        self.eval().requires_grad_(False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights, read without executing code."""
    if not path.is_file():
        raise DataError(f"{path}: no such file, or not a regular one.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path} is not a file of weights ({briefly(error)}).") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} contains a {type(found).__name__}; expected tensors by name.")
    return found


def _downloaded(url: str) -> dict[str, Tensor]:
    if not (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).exists():
        check_download(url, MEND)
    try:
        found: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise WorkError(
            f"cannot download {url} ({briefly(error)}): download it yourself and set weights=FILE."
        ) from error
    return found
