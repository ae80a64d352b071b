"""The model: the parts of a system, assembled and checked, from which images can be sampled."""

from __future__ import annotations

import copy
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from gantk import asked
from gantk.adapt import as_part, parts_named
from gantk.calls import calling
from gantk.chunks import CHUNK, chunk_size
from gantk.errors import FitError, UsageError
from gantk.grids import encoded, grid
from gantk.kinds import LISTS, SLOTS
from gantk.nn import Average, evaluating
from gantk.parts import Condition, Discriminator, Generator, ImageShape, Loss, NoiseSource, Part, Refiner
from gantk.schedule import Batch, Step, Value
from gantk.schedule.states import States
from gantk.schedule.step import overlap
from gantk.schedule.values import VALUES

if TYPE_CHECKING:
    from gantk.building.record import Record
    from gantk.run.folder import Run

__all__ = ["Model"]

SHOWN, SHOWN_PIXELS = 16, 1 << 18
"""Samples that a notebook shows of a model, and pixels of all of them, at most."""


class Model(nn.Module):
    """The parts of one system.

    `gantk.build` creates models. Parts can also be assembled by hand, to sample from them, for your own training loop,
    or for `gantk.train(model, data=…)`.

    If images are sampled with averaged weights, `generator` and `refiner` contain those, except during training and in
    its checkpoints. The weights from which training resumes are kept in `average`, and are not parameters of the model.

    Args:
        noise: the source of the generator's input: a part, a module or a function, as for all of the following.
        generator: noise → images.
        discriminator: judges images, if the system has a game.
        refiner: images → better images, if the system has one.
        losses: name → loss, a list of losses, or one loss.
        condition: what images are conditioned on, such as their class, in a conditional system.
        addons: name → further parts that join games, such as augmentations or additional terms.
        metrics: name → metric that is measured in training.
        average: how to average the weights of the generator and the refiner for sampling; `None` for no average.
    """

    noise: NoiseSource
    generator: Generator
    discriminator: Discriminator | None
    refiner: Refiner | None
    condition: Condition | None

    def __init__(
        self,
        noise: Any,
        generator: Any,
        discriminator: Any = None,
        refiner: Any = None,
        losses: Any = None,
        condition: Condition | None = None,
        addons: Any = None,
        metrics: Any = None,
        average: Callable[[nn.Module], Average] | None = None,
    ) -> None:
        super().__init__()
        self.noise = as_part("noise", noise)
        self.condition = condition
        self.generator = as_part("generator", generator, noise_dim=self.noise_dim)
        context = {"image_shape": self.generator.image_shape, "noise_dim": self.noise_dim}
        self.discriminator = None if discriminator is None else as_part("discriminator", discriminator, **context)
        self.refiner = None if refiner is None else as_part("refiner", refiner, **context)
        self.loss = nn.ModuleDict(parts_named("loss", losses))
        self.addon = nn.ModuleDict(parts_named("addon", addons))
        self.metric = nn.ModuleDict(parts_named("metric", metrics))
        self.state = States()
        self.average = nn.ModuleDict()
        if average is not None:
            averaged = {"generator": self.generator, "refiner": self.refiner}
            self.average.update({name: average(part) for name, part in averaged.items() if part is not None})
        self._averaging = False
        self._built: Record | None = None

    @property
    def is_built(self) -> bool:
        """Whether it was created by `gantk.build` or `gantk.load`, so that there is a record of its build."""
        return self._built is not None

    @property
    def built(self) -> Record:
        """The record of its build: its spec, recipe, data, stages and notes.

        Raises:
            UsageError: it was assembled by hand.
        """
        if self._built is None:
            raise UsageError(
                "this model was assembled by hand, without a recipe and data: "
                "use gantk.train(model, data=…) or gantk.save(model, RUN, data=…)."
            )
        return self._built

    @built.setter
    def built(self, record: Record) -> None:
        self._built = record

    def save(self, run: str | os.PathLike[str] | Run) -> Run:
        """Save this model with its current weights as a new run, for `gantk sample` and the other commands.

        Training that run starts from these weights.

        Args:
            run: the folder of the run.

        Raises:
            UsageError: the folder exists, or the model was assembled by hand (use `gantk.save`).
            RunError, CheckpointError: the folder cannot be written.
        """
        return self.built.save(self, run)

    @torch.no_grad()
    def fingerprint(self) -> tuple[int, ...]:
        """Numbers that differ whenever a parameter differs."""
        # The bits are summed as integers, since this sum is the same on every device.
        bits = {4: torch.int32, 8: torch.int64, 2: torch.int16}
        found = [p.detach().contiguous().view(bits.get(p.element_size(), torch.uint8)) for p in self.parameters()]
        return tuple(int(each.sum(dtype=torch.int64)) for each in found)

    @property
    def image_shape(self) -> ImageShape:
        """(channels, height, width) of the images."""
        return self.generator.image_shape

    @property
    def losses(self) -> Sequence[tuple[str, Loss]]:
        """Every loss with its name."""
        return [(name, cast(Loss, loss)) for name, loss in self.loss.items()]

    @property
    def parts(self) -> dict[str, Part]:
        """Slot → part; parts of lists by their path, such as `loss.NAME`."""
        one = {slot: getattr(self, slot) for slot in SLOTS}
        several = {f"{slot}.{name}": part for slot in LISTS for name, part in getattr(self, slot).items()}
        return {name: part for name, part in {**one, **several}.items() if part is not None}

    @property
    def noise_dim(self) -> int:
        """Length of the generator's input: the noise, followed by the condition, if any."""
        return self.noise.dim + (self.condition.dim if self.condition is not None else 0)

    @property
    def device(self) -> torch.device:
        return self.noise.device

    def copied(self, device: str | torch.device) -> Model:
        """A copy on a device, of which only the record of its build is shared."""
        with calling(f"copying {type(self).__name__}", f"device {device}"):
            return copy.deepcopy(self, {id(self._built): self._built}).to(device)

    @property
    def chunk(self) -> int:
        """Number of images per call of the generator: 32 on a CPU, up to 256 on a GPU."""
        return chunk_size(torch.device(self.device), self.image_shape)

    def step(
        self, batch: Batch, values: Mapping[str, Value] | None = None, *, number: int = 0, done: float = 0.0
    ) -> Step:
        """A step over one batch.

        Args:
            batch: real images.
            values: shared values of the stage, which override the usual ones.
            number: number of finished steps of the stage.
            done: finished fraction of the stage, in [0, 1).
        """
        values = {**VALUES, **(values or {})}
        return Step(self, batch, values, parts=self.parts, states=self.state, number=number, done=done)

    def update_average(self, moved: Iterable[str], images: int) -> None:
        """Update the averages of the weights that have moved, after a step over this number of images."""
        for name, average in self.averages(moved).items():
            average.follow(self.get_submodule(name), images)

    def averages(self, moved: Iterable[str]) -> dict[str, Average]:
        """The averages of the weights that are moved, by the slots of what they average."""
        return {name: cast(Average, self.average[name]) for name in sorted(overlap(self.average, moved))}

    @contextmanager
    def averaging(self) -> Iterator[None]:
        """Within this context, the parts have the current weights, as training and checkpoints need them."""
        if self._averaging:
            yield
            return
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        self._averaging = not self._averaging
        for name, average in self.average.items():
            beside = cast(nn.Module, average.module).state_dict(keep_vars=True)
            for key, current in self.get_submodule(name).state_dict(keep_vars=True).items():
                current.data, beside[key].data = beside[key].data, current.data

    def named_parameters(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter with its name; averages are not parameters."""
        averages = {id(parameter) for parameter in self.average.parameters()}
        return (named for named in super().named_parameters(*args, **options) if id(named[1]) not in averages)

    def sampler(self, name: str) -> nn.Module:
        """The module that sampling uses for a slot: the averaged one, if any."""
        if self._averaging and name in self.average:
            return cast(nn.Module, self.average[name].module)
        return self.get_submodule(name)

    def forward(self, noise: Tensor, refine: bool = True) -> Tensor:
        """Images `[N, C, H, W]` in [-1, 1] for noise `[N, noise_dim]`, refined if there is a refiner."""
        images: Tensor = self.sampler("generator")(noise)
        if refine and self.refiner is not None:
            images = self.sampler("refiner")(images)
        return images

    @torch.no_grad()
    def sample_noise(
        self,
        n: int,
        seed: int | torch.Generator | None = None,
        condition: str | Sequence[str] | Tensor | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Draw `[n, noise_dim]` noise vectors; with the same seed, the first m vectors do not depend on n.

        Args:
            n: number of vectors, 0 or more.
            seed: 0 … 2⁶³ - 1, or a `torch.Generator` to draw from; by default, torch's global random number generator.
            condition: the conditions, in a conditional model: a text, several texts to alternate, or `[dim]` or
                `[n, dim]`; by default drawn from the data's distribution. It does not change the rest of the noise.
            truncation: draw numbers outside [-truncation, truncation] again (Brock et al. 2019, section 3.1); smaller
                values give more typical and less diverse images. Only for standard normal noise.

        Raises:
            UsageError: n, the seed or the truncation is out of range, the noise is not standard normal and cannot be
                truncated, the model is not conditional, or there is no such condition.
        """
        n, rng = asked.count(n), asked.rng(seed)
        if truncation is not None:
            asked.check_truncation(self.noise, truncation, self.noise_name)
        with evaluating(self):
            chunks = [self._noise_chunk(rng, truncation) for _ in range(-(-n // CHUNK))]
        noise = torch.cat(chunks)[:n] if chunks else torch.empty(0, self.noise_dim, device=self.device)
        if condition is not None:
            noise[:, self.noise.dim :] = asked.conditions(self.condition, condition, n).to(noise)
        return noise

    @property
    def noise_name(self) -> str:
        """The noise as people type it, or its class in a model that was assembled by hand."""
        if self._built is None:
            return type(self.noise).__name__
        return str(self._built.spec["noise"]["plugin"]).rpartition(":")[2]

    def _noise_chunk(self, rng: torch.Generator, truncation: float | None) -> Tensor:
        with calling(f"noise {type(self.noise).__name__}", f"sample({CHUNK})"):
            noise = self.noise.sample(CHUNK, rng)
        if truncation is not None:
            noise = asked.truncated(noise, truncation, rng)
        if self.condition is None:
            return noise
        name, wanted = f"condition {type(self.condition).__name__}", [CHUNK, self.condition.dim]
        with calling(name, f"draw({CHUNK})"):
            drawn = self.condition.draw(CHUNK, rng)
        if list(drawn.shape) != wanted:
            raise FitError(f"{name}: draw({CHUNK}) returned {list(drawn.shape)}; expected {wanted}.")
        return torch.cat([noise, drawn.to(noise)], dim=1)

    @torch.no_grad()
    def generate(self, noise: Tensor, refine: bool = True) -> Tensor:
        """Generate images from noise vectors, in evaluation mode and without gradients, on the CPU.

        Args:
            noise: `[N, noise_dim]`, a tensor or an array of any real type.
            refine: whether to apply the refiner, if the model has one.

        Raises:
            UsageError: the noise has another shape or type, or a part's `forward` fails.
        """
        given = self._as_noise(noise)
        with evaluating(self):
            chunks = [self._chunk(part, refine) for part in torch.split(given, self.chunk)] if len(given) else []
        return torch.cat(chunks) if chunks else torch.empty(0, *self.image_shape)

    def _as_noise(self, noise: Any) -> Tensor:
        """Noise on this model's device, in its generator's dtype."""
        given = asked.noise_vectors(noise, self.noise_dim)
        if torch.device(self.device).type == "meta":
            raise UsageError("this model is on the device 'meta' and has no values: move it to another device.")
        types = (p.dtype for p in self.sampler("generator").parameters() if p.is_floating_point())
        return given.to(self.device, next(types, torch.get_default_dtype()))

    def _chunk(self, noise: Tensor, refine: bool) -> Tensor:
        # A short last chunk is padded, since kernels may round differently for another batch size.
        full = torch.cat([noise, noise[:1].expand(self.chunk - len(noise), -1)])
        with calling(f"generator {type(self.generator).__name__}", f"noise {list(full.shape)} of {full.dtype}"):
            images: Tensor = self.sampler("generator")(full)
        if refine and self.refiner is not None:
            with calling(f"refiner {type(self.refiner).__name__}", f"images {list(images.shape)} of {images.dtype}"):
                images = self.sampler("refiner")(images)
        return images[: len(noise)].float().cpu()

    def sample(
        self,
        n: int,
        seed: int | torch.Generator | None = None,
        refine: bool = True,
        condition: str | Sequence[str] | Tensor | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Generate `[n, C, H, W]` images, float in [-1, 1], on the CPU; the same seed gives the same images.

        Args:
            n: number of images, 0 or more.
            seed: 0 … 2⁶³ - 1, or a `torch.Generator` to draw from; by default, new images at every call.
            refine: whether to apply the refiner, if the model has one.
            condition: the condition, in a conditional model, such as `"3"`; several alternate.
            truncation: draw numbers of the noise outside [-truncation, truncation] again, as in `sample_noise`.

        Raises:
            UsageError: n, the seed or the truncation is out of range, the noise cannot be truncated, the model is not
                conditional, there is no such condition, or a part's `forward` fails.
        """
        asked.check_room(asked.count(n), self.image_shape)
        return self.generate(self.sample_noise(n, seed, condition, truncation), refine)

    def preview(self, n: int, rng: torch.Generator) -> Tensor:
        """The images of a sample grid; those of a conditional model show its conditions in order."""
        spread = None if self.condition is None else self.condition.spread(n)
        return self.sample(n, rng, condition=spread)

    def _repr_html_(self) -> str | None:
        """For notebooks: the title and samples, the same each time; `None`, for the text, if they are no pictures."""
        _, height, width = self.image_shape
        count = max(1, min(SHOWN, SHOWN_PIXELS // (height * width)))
        try:
            png = encoded(grid(self.preview(count, torch.Generator().manual_seed(0)), columns=8))
        except UsageError:
            return None
        title = str(self._built.spec.get("title", "gantk.Model")) if self._built is not None else "gantk.Model"
        return f'<code>{escape(title)}</code><br><img src="data:image/png;base64,{b64encode(png).decode()}">'
