"""Networks that are not written for gantk, as parts; a trial call finds out what they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from gantk.adapt.calls import quiet, trial, type_of
from gantk.calls import calling
from gantk.errors import FitError
from gantk.parts import Discriminator, Generator, ImageShape, Refiner, Verdict
from gantk.schedule import Player, Stage, Terms

__all__ = ["PlainDiscriminator", "PlainGenerator", "PlainRefiner", "Unread"]

FIELDS = ("logits", "hidden", "code", "classes")
APART = 1e-4
"""Tolerance for verdicts on an image in different batches, since kernels round differently."""


class Unread(FitError):
    """A generator that cannot read noise of this length.

    Args:
        message: the message.
        reads: the length of noise that it seems to read; 0 if unknown.
    """

    of_code = True

    def __init__(self, message: str, reads: int = 0) -> None:
        super().__init__(message)
        self.reads = reads


class PlainGenerator(Generator):
    """Any network from noise `[N, noise_dim]`, or `[N, noise_dim, 1, 1]`, to images `[N, C, H, W]`, or flat ones.

    Args:
        network: the network.
        image_shape: shape of its images; by default, that of what it returns.
        noise_dim: length of its noise.
    """

    def __init__(self, network: nn.Module, image_shape: ImageShape | None, noise_dim: int) -> None:
        super().__init__()
        self.network = network
        self._as_maps = False
        noise = torch.randn(2, noise_dim, generator=torch.Generator().manual_seed(0)).to(**type_of(network))
        with trial(network):
            images = self._first(noise)
        name = type(self).__name__
        if not isinstance(images, Tensor):
            raise FitError(f"generator {name} returned a {type(images).__name__}; expected a tensor [N, C, H, W].")
        if image_shape is None and images.dim() != 4:
            raise FitError(f"generator {name} returned {list(images.shape)}; expected images [N, C, H, W].")
        self.image_shape = image_shape or (images.shape[1], images.shape[2], images.shape[3])
        if images.numel() != 2 * torch.Size(self.image_shape).numel() or images.shape[0] != 2:
            wanted = [2, *self.image_shape]
            raise FitError(f"generator {name} returned {list(images.shape)} for 2 noise vectors; expected {wanted}.")
        if images.min() >= 0 and images.max() <= 1 and images.min() < images.max():
            self.notes = (f"images of generator {name} are in [0, 1], not in [-1, 1]: it may need a tanh at its end.",)

    notes: tuple[str, ...] = ()

    def _first(self, noise: Tensor) -> Any:
        try:
            return self.network(noise)
        except Exception as error:  # noqa: BLE001 - reported unless the second attempt works
            try:
                found = self.network(noise[:, :, None, None])
            except Exception:  # noqa: BLE001 - the first error is reported
                self._tell(noise, error)
            self._as_maps = True
            return found

    def _tell(self, noise: Tensor, error: Exception) -> NoReturn:
        reads = _width(self.network)
        mend = f"; it seems to read {reads} numbers: noise='gaussian:dim={reads}'" if reads != noise.shape[1] else ""
        name = type(self).__name__
        try:
            with calling(f"generator {name}", f"noise {list(noise.shape)}", mend if reads else ""):
                raise error
        except FitError as told:
            raise Unread(str(told), reads) from error

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.network(noise[:, :, None, None] if self._as_maps else noise)
        return images.reshape(len(noise), *self.image_shape)


def _width(network: nn.Module) -> int:
    """The input size of a network's first layer; 0 if unknown."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            return module.in_channels
    return 0


class PlainDiscriminator(Discriminator):
    """Any network from images `[N, C, H, W]`, or flat ones, to one number each.

    It may return a tensor of N numbers, `(logits, maps…)`, a dictionary of a verdict's fields, or a `gantk.Verdict`. A
    `Sigmoid` at its end is bypassed, since losses take logits.

    Args:
        network: the network.
        image_shape: shape of what it judges.
    """

    def __init__(self, network: nn.Module, image_shape: ImageShape) -> None:
        super().__init__()
        self.network = network
        self._flat = False
        self._closing = ""
        images = torch.rand(2, *image_shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        images = images.to(**type_of(network))
        with trial(network):
            self._first(images)
            self._closing = self._sigmoid(images)
            verdict = self(images)
        said = {name for name in FIELDS if getattr(verdict, name) is not None}
        self.provides = frozenset(said | ({"per-sample"} if self._judges_singly(images) else set()))

    notes: tuple[str, ...] = ()

    def _first(self, images: Tensor) -> None:
        name = type(self).__name__
        try:
            self.network(images)
        except Exception as error:  # noqa: BLE001 - reported unless the second attempt works
            try:
                self.network(images.flatten(1))
            except Exception:  # noqa: BLE001 - the first error is reported
                with calling(f"discriminator {name}", f"images {list(images.shape)}"):
                    raise error from None
            self._flat = True

    def _sigmoid(self, images: Tensor) -> str:
        """The path of the `Sigmoid` that returns this network's output, if any."""
        outputs: dict[str, Any] = {}
        handles = [
            module.register_forward_hook(lambda module, given, found, path=path: outputs.__setitem__(path, found))
            for path, module in self.network.named_modules(prefix="network")
            if isinstance(module, nn.Sigmoid)
        ]
        found = self.network(images.flatten(1) if self._flat else images)
        for handle in handles:
            handle.remove()
        first = found[0] if isinstance(found, (tuple, list)) else found
        for path, output in outputs.items():
            if (
                isinstance(first, Tensor)
                and first.numel() == output.numel()
                and torch.equal(first.view(-1), output.view(-1))
            ):
                self.notes = (
                    f"discriminator {type(self).__name__} ends in a Sigmoid, which is bypassed: losses take logits.",
                )
                return path
        return ""

    def _judges_singly(self, images: Tensor) -> bool:
        """Whether its verdict on an image does not depend on the rest of the batch, in training mode."""
        buffers = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        modes = [(module, module.training) for module in self.network.modules()]
        other = torch.cat([images[:1], -2 * images[1:]])
        try:
            self.network.train()
            found = []
            for batch in (images, other):
                with quiet():
                    found.append(self(batch).logits)
        except Exception:  # noqa: BLE001 - for example, a norm that needs larger batches
            return False
        finally:
            for module, mode in modes:
                module.training = mode
            for buffer, kept in buffers:
                buffer.data.copy_(kept)
        one, two = found
        return one is not None and two is not None and bool((one[0] - two[0]).abs() <= APART * (1 + one[0].abs()))

    def forward(self, images: Tensor) -> Verdict:
        handle = None
        if self._closing:
            handle = self.get_submodule(self._closing).register_forward_hook(lambda module, given, found: given[0])
        try:
            return self._verdict(self.network(images.flatten(1) if self._flat else images), len(images))
        finally:
            if handle is not None:
                handle.remove()

    def _verdict(self, found: Any, count: int) -> Verdict:
        if isinstance(found, Verdict):
            return found if found.logits is None else replace(found, logits=self._logits(found.logits, count))
        if isinstance(found, Mapping):
            if unknown := sorted(set(found) - set(FIELDS)):
                said = f"discriminator {type(self).__name__} returned {', '.join(map(str, unknown))}"
                raise FitError(f"{said}; a verdict has {', '.join(FIELDS)}.")
            hidden = found.get("hidden")
            fields = {**found, "hidden": (hidden,) if isinstance(hidden, Tensor) else hidden and tuple(hidden)}
            return self._verdict(Verdict(**fields), count)
        if isinstance(found, (tuple, list)) and found:
            hidden = [each for item in found[1:] for each in (item if isinstance(item, (tuple, list)) else (item,))]
            return Verdict(logits=self._logits(found[0], count), hidden=tuple(hidden) or None)
        return Verdict(logits=self._logits(found, count))

    def _logits(self, found: Any, count: int) -> Tensor:
        if isinstance(found, Tensor) and found.numel() == count:
            return found.reshape(count)
        said = list(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
        mend = ": average over its patches" if isinstance(found, Tensor) and found.dim() == 4 else ""
        raise FitError(
            f"discriminator {type(self).__name__} returned {said} for {count} images; expected one number each{mend}."
        )


class PlainRefiner(Refiner):
    """Any network from images to images of their shape.

    If it has parameters, it adds two players to every game: the model's discriminator, which then also separates
    refined images from real ones, and the refiner, which takes the generator's role with refined images.

    Args:
        network: the network.
        image_shape: shape of the images.
    """

    def __init__(self, network: nn.Module, image_shape: ImageShape | None = None) -> None:
        super().__init__()
        self.network = network
        if image_shape is None:
            return
        images = torch.zeros(2, *image_shape).to(**type_of(network))
        name = type(self).__name__
        with trial(network), calling(f"refiner {name}", f"images {list(images.shape)}"):
            found = network(images)
        if not isinstance(found, Tensor) or found.shape != images.shape:
            said = list(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise FitError(f"refiner {name} returned {said}; expected images {list(images.shape)}.")

    def forward(self, images: Tensor) -> Tensor:
        refined: Tensor = self.network(images)
        return refined

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        if not stage.adversarial or not list(self.parameters()):
            return ()
        return [
            Player(f"{path}-discriminator", player.moves, game, "discriminator", player.optimizer)
            if player.role == "discriminator"
            else Player(path, (path,), game, "generator", player.optimizer)
            for player in stage.players
            if isinstance(player.objective, Terms) and player.role in ("discriminator", "generator")
            for game in [_refined(player.objective)]
        ]


def _refined(terms: Terms) -> Terms:
    return Terms(terms.losses, terms.role, replace(terms.binding, fake="refined"))
