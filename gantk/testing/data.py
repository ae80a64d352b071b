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
    """Tests what users of a `gantk.data.DataSource` rely on.

    Attributes:
        options: further options, such as paths that only the test knows.
    """

    kind = "data"
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def source(self) -> Any:
        return self._make(options=dict(self.options))

    def test_says_its_shape(self, source: Any) -> None:
        assert len(source) > 0, "the data source has no images; raise gantk.errors.DataError with the name of the file."
        shape = source.image_shape
        whole = len(shape) == 3 and all(type(n) is int and n > 0 for n in shape)
        assert whole, f"image_shape is {shape}; expected (channels, height, width) as positive ints."

    def test_gives_uint8(self, source: Any) -> None:
        for indices in ([0], [len(source) - 1, 0, 0], []):
            images = source.images(indices)
            expected = (len(indices), *source.image_shape)
            assert images.shape == expected, (
                f"images({indices}) has the shape {list(images.shape)}; expected {list(expected)}."
            )
            assert images.dtype == torch.uint8, (
                f"images are {images.dtype}; expected uint8 (gantk converts them to float)."
            )

    def test_takes_arrays_of_indices(self, source: Any) -> None:
        indices = [len(source) - 1, 0]
        found = source.images(np.asarray(indices, dtype=np.int64))
        assert torch.equal(found, source.images(indices)), "an array of indices returns different images than a list."

    def test_keeps_the_order(self, source: Any) -> None:
        both = source.images([0, len(source) - 1])
        assert torch.equal(source.images([len(source) - 1, 0]), both.flip(0)), (
            "images are not in the order of the indices; resuming a run relies on it."
        )

    def test_gives_the_same_again(self, source: Any) -> None:
        again = self._make(options=dict(self.options))
        assert torch.equal(source.images([0, len(source) - 1]), again.images([0, len(source) - 1])), (
            "the same index returned a different image the second time; do not augment or shuffle in a data source."
        )

    def test_does_not_share_memory(self, source: Any) -> None:
        before = source.images([0]).clone()
        source.images([0]).zero_()
        assert torch.equal(source.images([0]), before), (
            "writing to the returned images changed the data set; return copies."
        )

    def test_the_array_holds_the_images(self, source: Any) -> None:
        if (array := source.array()) is None:
            pytest.skip("there is no array")
        indices = sorted({0, len(source) // 2, len(source) - 1})
        assert len(array) == len(source), f"array() has {len(array)} images; expected {len(source)}."
        assert torch.equal(torch.from_numpy(array[indices].copy()), source.images(indices)), (
            "array() holds other images than images() returns; training on a GPU would see those."
        )

    def test_held_out_images_are_others(self, source: Any) -> None:
        held_out = dict(self._factory.held_out)
        unknown = sorted(held_out.keys() - self._options.keys())
        assert not unknown, f"held_out contains {', '.join(unknown)}, which is not an option of the constructor."
        given = {**parse_part(self.plugin)[1], **self.options}
        if held_out.items() <= given.items():
            pytest.skip("there are no held-out images" if not held_out else "these are the held-out images")
        try:
            other = self._make(options={**self.options, **held_out})
        except DataError as error:
            pytest.skip(f"held-out images are not available: {error}")
        assert other.digest() != source.digest(), (
            "the options in held_out select the same images; held-out images must not be used in training. Raise "
            "gantk.errors.NothingHeldOut if there are none."
        )
        assert (other.image_shape, other.classes) == (source.image_shape, source.classes), (
            f"held-out images have the shape {other.image_shape} and the classes {other.classes}; expected "
            f"{source.image_shape} and {source.classes}, as for the other images."
        )

    def test_labels_and_classes_agree(self, source: Any) -> None:
        indices = list(range(min(len(source), 64)))
        labels = source.labels(indices)
        assert source.label_dim == 0 or source.classes is None, (
            "both classes and label_dim are set; labels are class indices or vectors."
        )
        described = source.classes is not None or source.label_dim > 0
        assert (labels is not None) == described, (
            "labels need classes or label_dim, and the other way round; provide both or neither."
        )
        if labels is None:
            return
        if source.label_dim:
            wanted = (len(indices), source.label_dim)
            assert labels.shape == wanted, f"labels have the shape {list(labels.shape)}; expected {list(wanted)}."
            assert torch.isfinite(labels).all(), "labels contain NaN or infinity."
            return
        assert labels.shape == (len(indices),), (
            f"labels have the shape {list(labels.shape)}; expected {[len(indices)]}."
        )
        assert labels.dtype == torch.int64, f"labels are {labels.dtype}; expected int64."
        low, high = int(labels.min()), int(labels.max())
        assert 0 <= low <= high < len(source.classes), (
            f"labels are {low} … {high}; expected indices into the {len(source.classes)} classes."
        )
