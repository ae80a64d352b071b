"""The steps of a stage, each kind of which is recorded once and then replayed, where a device can do that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import briefly
from gantk.memory import ran_out
from gantk.model import Model
from gantk.schedule import Batch
from gantk.seeds import seed_everything
from gantk.training.recording import Recorder, attributes_of, watched
from gantk.training.turn import Turns, Values

__all__ = ["Graphs"]

WARM = 3
"""Steps of a kind that are computed before one is recorded: they choose kernels and make states of optimizers."""
PROVED = 2
"""Replays of a recorded step that are compared with the computed step, each in another step of training."""
USUAL = 2.0
"""How many times as far from the computed step a replay may be as another computed one, where kernels give other bits
each time."""
KINDS = 64
"""Kinds of steps of a stage, at most."""
LEAST = 1e-30
"""What is divided by, at least."""


@dataclass
class _Recorded:
    batches: list[Batch]
    values: list[Values]
    play: Callable[[], None]
    proofs: int = 0

    def replay(self, batches: Sequence[Batch]) -> list[Values]:
        for own, batch in zip(self.batches, batches, strict=True):
            own.images.copy_(batch.images, non_blocking=True)
            if own.labels is not None and batch.labels is not None:
                own.labels.copy_(batch.labels, non_blocking=True)
        self.play()
        return [dict(turn) for turn in self.values]


class Graphs:
    """Plays the steps of one stage.

    A step is recorded with all of its players' turns, their optimizers and the averages of weights. Two steps are of
    one kind if their batches have the same shapes, what happens every few steps (`Play.every`) happens in both or in
    neither, rates that are numbers are the same, and so are attributes that the stage may set before each step. A kind
    is recorded after it was computed a few times, and its first replays are compared with the computed step. A stage
    whose steps cannot be recorded is computed, and one line says why.

    Args:
        turns: the players' turns.
        model: the model.
        recorder: what records; `None` to compute every step.
        say: receives the reason why nothing is recorded.
    """

    def __init__(self, turns: Turns, model: Model, recorder: Recorder | None, say: Callable[[str], None]) -> None:
        self._turns, self._model, self._recorder, self._say = turns, model, recorder, say
        self._stage = turns.stage
        self._images = self._stage.batch_size * self._stage.batches()
        self._intervals: set[int] = set()
        self._computed: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, _Recorded] = {}
        # Modules that a stage may set before each step; those of torch have nothing to set, and averages follow them.
        parts = (module for part in model.parts.values() for module in part.modules())
        own = (module for module in parts if not type(module).__module__.startswith("torch."))
        self._settable = [*own] if self._stage.each is not None else []
        if turns.recordable:
            self._give_up(turns.recordable)

    def play(self, batches: Sequence[Batch], number: int, done: float, seed: int) -> list[Values]:
        """Play a step.

        Args:
            batches: the batches of real images.
            number: number of finished steps of the stage.
            done: finished fraction of the stage.
            seed: what all random number generators have just been seeded with.

        Returns:
            what `Turns.play` returns; its tensors may be overwritten by the next step.

        Raises:
            Diverged: as `Turns.play`.
        """
        for average in self._model.averages(self._stage.moves()).values():
            average.expect(self._images)
        self._turns.set_rates(done)
        return self._turns.weighted(self._play(batches, number, done, seed), done)

    def _play(self, batches: Sequence[Batch], number: int, done: float, seed: int) -> list[Values]:
        def step() -> list[Values]:
            return self._compute(batches, number, done)

        recorder = self._recorder
        if recorder is None:
            return step()
        kind = self._kind(batches, number)
        if len(self._computed) > KINDS:
            self._give_up("too many of them differ")
        if self._computed[kind] < WARM:
            return self._warm(recorder, kind, step)
        if kind not in self._recorded:
            found = self._record(recorder, batches, number, done, seed)
            if found is None:
                return step()
            self._recorded[kind] = found
        recorded = self._recorded[kind]
        if recorded.proofs < PROVED:
            return self._prove(recorded, batches, step, seed)
        return recorded.replay(batches)

    def _kind(self, batches: Sequence[Batch], number: int) -> Hashable:
        shapes = tuple((b.images.shape, None if b.labels is None else b.labels.shape) for b in batches)
        due = tuple(number % each == 0 for each in sorted(self._intervals))
        averages = self._model.averages(self._stage.moves()).values()
        attributes = tuple(attributes_of(self._settable).values())
        return shapes, due, attributes, *self._turns.fixed_rates(), *(average.share for average in averages)

    def _compute(self, batches: Sequence[Batch], number: int, done: float) -> list[Values]:
        steps = [self._model.step(batch, self._stage.values, number=number, done=done) for batch in batches]
        values = self._turns.compute(steps)
        for name, average in self._model.averages(self._stage.moves()).items():
            average.move(self._model.get_submodule(name), self._images)
        self._intervals.update(*(step.asked.intervals for step in steps))
        places = {place for step in steps for place in step.asked.places}
        if places and self._recorder is not None:
            self._give_up(f"a part reads play.{min(places)}")
        return values

    def _warm(self, recorder: Recorder, kind: Hashable, step: Callable[[], list[Values]]) -> list[Values]:
        self._computed[kind] += 1
        if self._computed[kind] < WARM:
            return recorder.warm(step)
        reasons: list[str] = []
        objects = [*self._model.modules(), *(player.objective for player in self._stage.players)]
        with watched(recorder, objects, reasons):
            values = recorder.warm(step)
        if reasons:
            self._give_up(reasons[0])
        return values

    def _record(
        self, recorder: Recorder, batches: Sequence[Batch], number: int, done: float, seed: int
    ) -> _Recorded | None:
        own = [Batch(b.images.clone(), None if b.labels is None else b.labels.clone()) for b in batches]
        tensors = self._tensors()
        if (before := self._copies(tensors)) is None:
            return None
        try:
            values, play = recorder.record(lambda: self._compute(own, number, done))
        except Exception as error:  # noqa: BLE001 - what cannot be recorded can still be computed
            self._give_up(briefly(error))
            values, play = [], None
        _put_back(tensors, before)
        seed_everything(seed)
        return None if play is None or self._recorder is None else _Recorded(own, values, play)

    def _prove(
        self, recorded: _Recorded, batches: Sequence[Batch], step: Callable[[], list[Values]], seed: int
    ) -> list[Values]:
        """Compute the step, and replay it from the same place: the replay counts if it does the same."""
        tensors = self._tensors()
        if (before := self._copies(tensors)) is None:
            return step()
        computed = step()
        if (after := self._copies(tensors)) is None:
            return computed
        _put_back(tensors, before)
        seed_everything(seed)
        replayed = recorded.replay(batches)
        off = _distance(before, after, tensors), _difference(computed, replayed)
        if not any(off):
            recorded.proofs += 1
            return replayed
        _put_back(tensors, before)
        seed_everything(seed)
        again = step()
        usual = _distance(before, after, tensors), _difference(computed, again)
        if off[0] <= USUAL * usual[0] and off[1] <= USUAL * usual[1]:
            recorded.proofs += 1
        elif self._turns.divergence() is None:
            self._give_up("a replayed step differs from a computed one")
        return again

    def _tensors(self) -> list[Tensor]:
        """All that a step may change."""
        averages = (each for average in self._model.average.values() for each in average.parameters())
        found = [*self._model.parameters(), *self._model.buffers(), *averages, *self._turns.tensors()]
        return [*{id(tensor): tensor.detach() for tensor in found}.values()]

    def _copies(self, tensors: Sequence[Tensor]) -> list[Tensor] | None:
        """Copies of tensors; `None`, and no more graphs, if there is no memory for them."""
        try:
            return [tensor.clone() for tensor in tensors]
        except RuntimeError as error:
            if not ran_out(error):
                raise
            self._give_up("there is not enough memory to compare replayed steps with computed ones")
            return None

    def _give_up(self, reason: str) -> None:
        if self._recorder is not None:
            self._say(f"{self._stage.name}: steps are computed one by one, not as CUDA graphs: {reason}")
        self._recorder, self._recorded = None, {}


def _put_back(tensors: Iterable[Tensor], copies: Iterable[Tensor]) -> None:
    for tensor, copy in zip(tensors, copies, strict=True):
        tensor.copy_(copy)


def _distance(before: Iterable[Tensor], one: Iterable[Tensor], other: Iterable[Tensor]) -> float:
    """How far two steps from the same place led apart, of each tensor as a share of its change."""
    shares = [
        float((a.double() - b.double()).norm() / (a.double() - at.double()).norm().clamp(min=LEAST))
        for at, a, b in zip(before, one, other, strict=True)
        if not torch.equal(a, b)
    ]
    return math.hypot(*shares)


def _difference(one: Sequence[Values], other: Sequence[Values]) -> float:
    """How far logged values are apart, each as a share of itself."""
    if [turn.keys() for turn in one] != [turn.keys() for turn in other]:
        return math.inf
    pairs = [(float(a), float(turn[name])) for each, turn in zip(one, other, strict=True) for name, a in each.items()]
    return math.hypot(*((a - b) / max(abs(a), LEAST) for a, b in pairs))
