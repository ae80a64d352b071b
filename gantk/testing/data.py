"""The contract of data sources."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from gantk.errors import DataError
from gantk.options import parse_part
from gantk.testing.base import PluginContract

__all__ = ["DataContract"]


class DataContract(PluginContract):
    """What users of a `gantk.data.DataSource` rely on; `options` may hold paths that only a test knows."""

    kind = "data"
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def source(self) -> Any:
        return self._make(options=dict(self.options))

    def test_says_its_shape(self, source: Any) -> None:
        assert len(source) > 0, "it has no image; raise gantk.errors.DataError that names the file."
        shape = source.image_shape
        whole = len(shape) == 3 and all(type(n) is int and n > 0 for n in shape)
        assert whole, f"image_shape is {shape}; expected (channels, height, width) in plain ints."

    def test_gives_uint8(self, source: Any) -> None:
        for indices in ([0], [len(source) - 1, 0, 0], []):
            images = source.images(indices)
            expected = (len(indices), *source.image_shape)
            assert images.shape == expected, f"images({indices}) is {list(images.shape)}; expected {list(expected)}."
            assert images.dtype == torch.uint8, f"images are {images.dtype}; expected uint8 (float is gantk's work)."

    def test_takes_arrays_of_indices(self, source: Any) -> None:
        indices = [len(source) - 1, 0]
        found = source.images(np.asarray(indices, dtype=np.int64))
        assert torch.equal(found, source.images(indices)), "an array of indices gives other images than a list does."

    def test_keeps_the_order(self, source: Any) -> None:
        both = source.images([0, len(source) - 1])
        assert torch.equal(source.images([len(source) - 1, 0]), both.flip(0)), (
            "images do not come in the order of the indices; resuming a run relies on it."
        )

    def test_gives_the_same_again(self, source: Any) -> None:
        again = self._make(options=dict(self.options))
        assert torch.equal(source.images([0, len(source) - 1]), again.images([0, len(source) - 1])), (
            "the same index gave another image the second time; do not augment or shuffle within a data source."
        )

    def test_does_not_share_memory(self, source: Any) -> None:
        before = source.images([0]).clone()
        source.images([0]).zero_()
        assert torch.equal(source.images([0]), before), "writing into returned images changed the data set; copy them."

    def test_held_out_images_are_others(self, source: Any) -> None:
        held_out = dict(self._factory.held_out)
        unknown = sorted(held_out.keys() - self._options.keys())
        assert not unknown, f"held_out names {', '.join(unknown)}, which is no option of its constructor."
        given = {**parse_part(self.plugin)[1], **self.options}
        if held_out.items() <= given.items():
            pytest.skip("it holds no images out" if not held_out else "these are the held-out images")
        try:
            other = self._make(options={**self.options, **held_out})
        except DataError as error:
            pytest.skip(f"held-out images are not there: {error}")
        assert other.digest() != source.digest(), (
            "with the options of held_out it has the same images; nobody may train on held-out images. Raise "
            "gantk.errors.NothingHeldOut where it has none."
        )
        assert (other.image_shape, other.classes) == (source.image_shape, source.classes), (
            f"held-out images are {other.image_shape} with the classes {other.classes}; expected "
            f"{source.image_shape} with {source.classes}, so that they can be compared and labels mean the same."
        )

    def test_labels_and_classes_agree(self, source: Any) -> None:
        indices = list(range(min(len(source), 64)))
        labels = source.labels(indices)
        assert source.label_dim == 0 or source.classes is None, "labels are class indices or vectors, not both."
        described = source.classes is not None or source.label_dim > 0
        assert (labels is not None) == described, "labels, and classes or label_dim: have both, or neither."
        if labels is None:
            return
        if source.label_dim:
            wanted = (len(indices), source.label_dim)
            assert labels.shape == wanted, f"labels are {list(labels.shape)}; expected {list(wanted)}."
            assert torch.isfinite(labels).all(), "labels hold NaN or infinite numbers."
            return
        assert labels.shape == (len(indices),), f"labels are {list(labels.shape)}; expected {[len(indices)]}."
        assert labels.dtype == torch.int64, f"labels are {labels.dtype}; expected int64."
        low, high = int(labels.min()), int(labels.max())
        assert 0 <= low <= high < len(source.classes), (
            f"labels are {low} … {high}; expected indices into the {len(source.classes)} classes."
        )
