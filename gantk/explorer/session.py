"""A model that is explored: what the page asks for, drawn."""

from __future__ import annotations

import base64
import io
import math
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantk.building.construct import construct
from gantk.building.load import load
from gantk.data import DataSource, to_float, to_uint8
from gantk.errors import DataError, GantkError, UsageError, briefly
from gantk.evaluation.scores import newest_figures, read_scores, scores_file
from gantk.explorer.directions import directions
from gantk.explorer.place import Place
from gantk.grids import encoded, grid
from gantk.measures.codes import check_reads_codes, read_codes
from gantk.measures.reconstruction import picture_files
from gantk.measures.search import Points, search
from gantk.nn import evaluating
from gantk.permissions import as_said_by
from gantk.run.folder import Run

__all__ = ["Session"]

NEAREST, STRIP = 5, 8
"""Number of nearest training images, and of images on the way between two points."""


class Session:
    """One model; its methods can be called from several threads.

    Args:
        run: the run.
        step: the step of its checkpoint; `None` for the newest.
        data: the training images, if they are in another place than they were.
    """

    def __init__(self, run: Run, step: int | None = None, data: str | None = None) -> None:
        self.run, self._step, self._data = run, step, data
        self._model = load(run, step=step)
        self._lock = threading.RLock()

    @cached_property
    def _directions(self) -> Tensor:
        with self._lock:
            return directions(self._model)

    @cached_property
    def _training(self) -> DataSource:
        spec = self._model.built.spec
        if self._data is None and "data" not in spec:
            raise UsageError("this model was built on data given from Python: name its training images with --data.")
        with as_said_by(self._model.built.said_by, self._data):
            source: DataSource = construct("data", spec["data"] if self._data is None else self._data)
        if source.image_shape != self._model.image_shape:
            raise DataError(f"its images are {list(source.image_shape)}; expected {list(self._model.image_shape)}.")
        source.prepare(lambda done: None)
        return source

    def about(self) -> dict[str, Any]:
        """What the page shows before anything is drawn."""
        model, built = self._model, self._model.built
        classes = built.shape.get("classes") if model.condition is not None else None
        figures = newest_figures(read_scores(scores_file(self.run.path)))
        step = self._step if self._step is not None else self.run.steps()[-1]
        return {
            "run": str(self.run),
            "typed": self.run.typed,
            "title": str(built.spec.get("title", "")),
            "step": step,
            "newest": self._step is None,
            "shape": list(model.image_shape),
            "noise": f"{model.noise_name}, {model.noise.dim} numbers",
            "classes": None if not classes else [str(each) for each in classes],
            "condition": model.noise_dim - model.noise.dim,
            "directions": len(self._directions),
            "refiner": model.refiner is not None,
            "codes": self._reads_codes(),
            "figures": {name: value for name, value in figures.items() if math.isfinite(value)},
        }

    def _reads_codes(self) -> bool:
        try:
            check_reads_codes(self._model)
        except GantkError:
            return False
        return True

    def noise(self, place: Place) -> Tensor:
        """`[1, noise_dim]`."""
        with self._lock:
            return place.noise(self._model, self._directions)

    def picture(self, place: Place) -> bytes:
        """The image at a place, as a PNG. It is computed alone, and may differ from `gantk sample` by rounding."""
        with self._lock:
            return encoded(self._draw(place.noise(self._model, self._directions), place.refine)[0])

    def strip(self, place: Place) -> bytes:
        """Images on the way between the two points of a place, as a PNG."""
        with self._lock:
            shares = [number / (STRIP - 1) for number in range(STRIP)]
            noise = torch.cat([place.noise(self._model, self._directions, share) for share in shares])
            return encoded(grid(to_float(self._draw(noise, place.refine)), STRIP))

    @torch.no_grad()
    def _draw(self, noise: Tensor, refine: bool) -> Tensor:
        """uint8 `[N, C, H, W]`."""
        model = self._model
        with evaluating(model):
            return to_uint8(model(model._as_noise(noise), refine).float().cpu())

    def nearest(self, image: Tensor) -> dict[str, Any]:
        """The nearest training images of a uint8 image `[C, H, W]`."""
        with self._lock:
            points = Points.of_images(self._training)
            count = min(NEAREST, points.count)
            distances, indices = search(image[None], points, count)
            found = self._training.images(indices[0].tolist())
            unit = math.sqrt(math.prod(self._model.image_shape))
            return {
                "images": [_inline(each) for each in found],
                "distances": [round(float(each) / unit, 2) for each in distances[0]],
                "indices": indices[0].tolist(),
            }

    def image(self, place: Place) -> Tensor:
        """The image at a place, uint8 `[C, H, W]`."""
        with self._lock:
            return self._draw(place.noise(self._model, self._directions), place.refine)[0]

    def dropped(self, content: bytes) -> Tensor:
        """An image file, converted to the model's size: uint8 `[C, H, W]`.

        Raises:
            DataError: it is no image.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "image")
            file.write_bytes(content)
            try:
                return picture_files([file], self._model.image_shape).images([0])[0]
            except DataError as error:
                raise DataError(briefly(error).replace(str(file), "the dropped file")) from error

    def reconstruction(self, image: Tensor) -> dict[str, Any]:
        """A uint8 image `[C, H, W]`, encoded and generated again.

        Raises:
            FitError: the model cannot encode images.
        """
        with self._lock:
            check_reads_codes(self._model)
            given = to_float(image[None])
            again = self._model.generate(read_codes(self._model, given), refine=False)
        return {
            "image": _inline(image),
            "again": _inline(to_uint8(again)[0]),
            "error": round(float((again - given).abs().mean()), 4),
        }

    def noise_file(self, place: Place) -> bytes:
        """The noise at a place as the content of a `.npy` file."""
        file = io.BytesIO()
        np.save(file, self.noise(place).numpy(), allow_pickle=False)
        return file.getvalue()


def _inline(image: Tensor) -> str:
    return "data:image/png;base64," + base64.b64encode(encoded(image)).decode()
