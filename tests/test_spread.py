"""Several devices share the work, and the results are those of one; here they are one CPU, twice and three times."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Extractor, Generator, Model, NoiseSource
from gantk.data import ArraySource
from gantk.errors import FitError, UsageError
from gantk.measures import Side
from gantk.measures.samples import batches_of_noise, labeled_batches, sample_batches
from gantk.ops import knn_distances
from gantk.spread import current_devices, on_devices, spread
from gantk.training.devices import measured_on

CPUS = ["cpu", "cpu", "cpu"]
IMAGES = torch.randint(0, 256, (2000, 1, 4, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Normal(NoiseSource):
    dim = 3

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class Traced:
    """Remembers the threads that its copies were called in."""

    threads: ClassVar[set[str]]

    def note(self) -> None:
        self.threads.add(threading.current_thread().name)
        assert not torch.is_grad_enabled()


class Linear(Generator, Traced):
    image_shape = (1, 2, 3)
    threads: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 6)

    def forward(self, noise: Tensor) -> Tensor:
        self.note()
        return self.linear(noise).view(-1, 1, 2, 3).tanh()


class Sums(Extractor, Traced):
    dim = 2
    threads: ClassVar[set[str]] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.note()
        return torch.stack([images.sum((1, 2, 3)), images[:, 0, 0, 0]], dim=1)


def workers(part: type[Traced]) -> set[str]:
    found = {name for name in part.threads if name.startswith("gantk-device")}
    part.threads.clear()
    return found


def test_images_of_several_devices_are_those_of_one() -> None:
    model = Model(Normal(), Linear())
    before = torch.cat(list(sample_batches(model, 333, 7)))
    noise = model.sample_noise(100, 1)
    one = torch.cat([batch.images for batch in batches_of_noise(model, noise)])
    assert not workers(Linear)
    with on_devices(CPUS):
        assert torch.equal(torch.cat(list(sample_batches(model, 333, 7))), before)
        assert torch.equal(torch.cat([batch.images for batch in batches_of_noise(model, noise)]), one)
        assert torch.equal(model.sample(333, 7), before), "outside of batches, a model stays on its own device"
        assert list(sample_batches(model, 0, 7)) == []
    assert workers(Linear)


def test_conditions_and_labels_stay_with_their_images() -> None:
    model = gantk.build("cdcgan", data="digits", settings=["generator.width=4", "discriminator.width=4"])
    before = list(labeled_batches(model, 100, 7, conditions=("3", "5", "8")))
    with on_devices(CPUS):
        after = list(labeled_batches(model, 100, 7, conditions=("3", "5", "8")))
    assert torch.cat([batch.labels for batch in after if batch.labels is not None])[:4].tolist() == [3, 5, 8, 3]
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.images, other.images)
        assert one.labels is not None
        assert other.labels is not None
        assert torch.equal(one.labels, other.labels)


def test_a_copy_shares_the_record_and_nothing_that_learns() -> None:
    model = gantk.build("dcgan", data="digits", settings=["generator.width=4", "discriminator.width=4"])
    copied = model.copied("cpu")
    assert copied.built is model.built
    assert torch.equal(copied.sample(3, 0), model.sample(3, 0))
    with torch.no_grad():
        next(copied.parameters()).add_(1)
    assert not torch.equal(copied.sample(3, 0), model.sample(3, 0))


def test_features_of_several_devices_are_those_of_one() -> None:
    one = Side(ArraySource(IMAGES), Sums()).features
    assert not workers(Sums)
    shares: list[float] = []
    with on_devices(CPUS):
        side = Side(ArraySource(IMAGES), Sums(), progress=shares.append)
        assert torch.equal(side.features, one)
    assert workers(Sums)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_wrong_feature_is_told_of_as_by_one_device() -> None:
    class Wrong(Sums):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images)[:, :1]

    with on_devices(CPUS), pytest.raises(FitError, match=r"Wrong returned \[256, 1\] for 256 images; expected"):
        _ = Side(ArraySource(IMAGES), Wrong()).features


def test_what_cannot_be_copied_is_one_line() -> None:
    extractor = Sums()
    extractor.lock = threading.Lock()
    with on_devices(CPUS), pytest.raises(FitError, match="copying Sums fails on device cpu: TypeError: cannot pickle"):
        _ = Side(ArraySource(IMAGES), extractor).features


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("points", ["spread", "few values, so many duplicates", "all the same"])
@pytest.mark.parametrize("count", [2, 9, 150])
def test_neighbors_of_several_devices_are_those_of_one(dtype: torch.dtype, points: str, count: int) -> None:
    rng = torch.Generator().manual_seed(count)
    top = {"spread": 256, "few values, so many duplicates": 2, "all the same": 1}[points]
    x = torch.randint(0, top, (count, 5), generator=rng).to(dtype)
    reference = torch.randint(0, top, (count + 3, 5), generator=rng).to(dtype)
    for k in {1, count - 1, min(7, count - 1)}:
        own, given = knn_distances(x, k, return_indices=True), knn_distances(x, k, reference=reference)
        with on_devices(CPUS):
            distances, indices = knn_distances(x, k, return_indices=True)
            assert torch.equal(distances, own[0])
            assert torch.equal(indices, own[1])
            assert torch.equal(knn_distances(x, k), own[0])
            assert torch.equal(knn_distances(x, k, reference=reference), given)


def test_bad_points_are_refused_as_by_one_device() -> None:
    with on_devices(CPUS):
        with pytest.raises(UsageError, match="k is from 1 to 3 among 4 points, not 4"):
            knn_distances(torch.zeros(4, 2), 4)
        with pytest.raises(UsageError, match="x contains NaN"):
            knn_distances(torch.full((4, 2), torch.nan), 1)
        with pytest.raises(UsageError, match="x is one point"):
            knn_distances(torch.zeros(1, 2), 1)
        assert knn_distances(torch.zeros(0, 2), 1, reference=torch.zeros(3, 2)).shape == (0, 1)


def test_the_progress_of_a_search_ends_at_one() -> None:
    shares: list[float] = []
    with on_devices(CPUS):
        knn_distances(torch.rand(500, 3), 2, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3


def test_results_keep_the_order_of_items_and_one_device_is_not_called_twice_at_once() -> None:
    busy: dict[int, threading.Lock] = {}

    def call(own: int, item: int) -> int:
        assert busy[own].acquire(blocking=False), "two threads on one device"
        time.sleep(0.01 if item == 0 else 0)
        busy[own].release()
        return item * item

    def copy(own: int, device: torch.device) -> int:
        busy[len(busy)] = threading.Lock()
        return len(busy) - 1

    with on_devices(CPUS):
        assert list(spread(-1, copy, call, range(50))) == [item * item for item in range(50)]
    assert len(busy) == 3
    assert list(spread(-1, copy, lambda own, item: own * item, range(3))) == [0, -1, -2], "without devices, no copies"


def test_all_devices_work_at_once() -> None:
    together = threading.Barrier(len(CPUS))
    with on_devices(CPUS):
        found = list(spread(None, lambda own, device: None, lambda own, item: together.wait(timeout=60), range(3)))
    assert sorted(found) == [0, 1, 2], "each waited for the others"


def test_an_error_stops_the_work() -> None:
    called: list[int] = []

    def call(own: None, item: int) -> int:
        called.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    with on_devices(CPUS), pytest.raises(ValueError, match="five"):
        list(spread(None, lambda own, device: None, call, range(1000)))
    assert len(called) <= 5 + 2 * len(CPUS) + 1


def test_devices_are_those_of_the_innermost_context() -> None:
    assert current_devices() == ()
    with on_devices(CPUS):
        assert current_devices() == (torch.device("cpu"),) * 3
        with on_devices(["cpu"]):
            assert current_devices() == (torch.device("cpu"),)
        assert len(current_devices()) == 3
    assert current_devices() == ()


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (0, "devices is a number of accelerators, 1 or more, not 0"),
        (True, "devices is a number of accelerators, 1 or more, not True"),
        (99, "99 accelerators are asked for, but this machine has"),
        ([], "the list of devices is empty"),
        (["cuda:99"], "device 'cuda:99' is not available on this machine: "),
        (["gpu"], "device 'gpu' is not available on this machine: "),
    ],
)
def test_devices_that_are_not_there_are_one_line(devices: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught, on_devices(devices):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "devices", "there", "expected"),
    [("cpu", 4, 0, 0), ("cuda", 1, 8, 0), ("cuda", 4, 8, 4), ("cuda", 4, 1, 0), ("cuda", 4, 2, 2)],
)
def test_training_measures_on_its_accelerators_that_this_process_sees(
    kind: str, devices: int, there: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: there)
    fabric: Any = SimpleNamespace(device=torch.device(kind))
    settings: Any = SimpleNamespace(devices=devices)
    assert measured_on(fabric, settings) == [torch.device(kind, index) for index in range(expected)]


def test_scores_of_several_devices_are_those_of_one() -> None:
    data = "subset:of=digits,images=300"
    model = gantk.build("dcgan", data=data, settings=["generator.width=4", "discriminator.width=4"])
    asked: dict[str, Any] = {"metrics": ["prdc:k=3", "memorization"], "extractor": "pixels", "n": 300}
    one = gantk.evaluate(model, **asked)
    with gantk.on_devices(["cpu", "cpu"]):
        several = gantk.evaluate(model, **asked)
    assert several.figures() == one.figures()
    assert len(one) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_does_what_the_cpu_does() -> None:
    model, points = Model(Normal(), Linear()), torch.randint(0, 256, (300, 7), dtype=torch.uint8)
    images, features = torch.cat(list(sample_batches(model, 333, 7))), Side(ArraySource(IMAGES), Sums()).features
    near = knn_distances(points, 5, return_indices=True)
    with on_devices(1):
        assert torch.equal(knn_distances(points, 5, return_indices=True)[1], near[1])
        torch.testing.assert_close(torch.cat(list(sample_batches(model, 333, 7))), images, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(Side(ArraySource(IMAGES), Sums()).features, features, rtol=1e-4, atol=1e-4)
