"""A recorder for tests on a CPU: it records a step's operators, and replays those alone, as a CUDA graph does.

What Python computed between them, a number that was read from a tensor, or an attribute that counts, stays as it was
when the step was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import gantk
from gantk.data import ArraySource, to_float
from gantk.schedule import Batch, Stage
from gantk.seeds import seed_everything
from gantk.training.graphs import PROVED, WARM, Graphs
from gantk.training.recording import Recorder
from gantk.training.turn import Turns

T = TypeVar("T")


@dataclass(frozen=True)
class Slot:
    number: int


class Tape(TorchDispatchMode):
    """Records operators: what they are called with, tensors of their own by number, and others as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Slot | None]]] = []
        self._slots: dict[int, Slot] = {}
        self._held: list[Tensor] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        given, named = tree_map(self._known, (arguments, dict(options or {})))
        outside = {id(each) for each in tree_leaves((arguments, options)) if isinstance(each, Tensor)}
        result = function(*arguments, **(options or {}))
        made = [self._made(each, outside) for each in tree_leaves(result)]
        self.calls.append((function, given, named, made))
        return result

    def _known(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            self._held.append(value)  # so that no other gets its id
            return self._slots.get(id(value), value)
        return value

    def _made(self, value: Any, outside: set[int]) -> Slot | None:
        if not isinstance(value, Tensor):
            return None
        self._held.append(value)
        if id(value) not in self._slots and id(value) not in outside:
            self._slots[id(value)] = Slot(len(self._slots))
        return self._slots.get(id(value))

    @torch.no_grad()
    def play(self, results: Mapping[int, Tensor]) -> None:
        """Call the operators again, and write what they make in place of these tensors into them."""
        made: dict[Slot, Tensor] = {}
        for function, given, named, slots in self.calls:
            arguments, options = tree_map(lambda each: made[each] if isinstance(each, Slot) else each, (given, named))
            if function is torch.ops.aten.lift_fresh.default:  # a constant, which nobody may change
                arguments = (arguments[0].clone(),)
            for slot, result in zip(slots, tree_leaves(function(*arguments, **options)), strict=True):
                if slot is not None:
                    made[slot] = result
        for number, tensor in results.items():
            if number in self._slots:
                tensor.copy_(made[self._slots[number]])


class Operators:
    """Records operators.

    Args:
        fails: whether recording fails.
    """

    def __init__(self, fails: bool = False) -> None:
        self.device = torch.device("cpu")
        self.fails = fails
        self.recorded = self.replayed = self.warmed = 0

    def warm(self, step: Callable[[], T]) -> T:
        self.warmed += 1
        return step()

    def record(self, step: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        self.recorded += 1
        with Tape() as tape:
            found = step()
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        results = {id(each): each for each in tree_leaves(found) if isinstance(each, Tensor)}
        for each in results.values():
            each.fill_(torch.nan)  # a graph that was not replayed has computed nothing

        def play() -> None:
            self.replayed += 1
            tape.play(results)

        return found, play

    @contextmanager
    def watch(self, reasons: list[str]) -> Iterator[None]:
        yield


def played(
    model: gantk.Model, data: ArraySource, recorder: Recorder | None, steps: int, fabric: Fabric | None = None
) -> tuple[list[Tensor], list[str]]:
    """The model after some steps of every stage, as on a GPU, and what was said.

    On a GPU, a step that waits for it is an error, except those that are compared.
    """
    fabric, said = fabric or Fabric(accelerator="cpu", devices=1), list[str]()
    with model.averaging():
        fabric.to_device(model)
        for stage in model.built.stages:
            _play(fabric, model, stage, data, recorder, steps, said.append)
        return [each.detach().clone().cpu() for each in model.state_dict().values()], said


def _play(
    fabric: Fabric,
    model: gantk.Model,
    stage: Stage,
    data: ArraySource,
    recorder: Recorder | None,
    steps: int,
    say: Callable[[str], None],
) -> None:
    if stage.enter is not None:
        seed_everything(0)
        stage.enter(model)
    model.eval().requires_grad_(False)
    for path in stage.moves():
        model.get_submodule(path).train()
    graphs = Graphs(Turns(fabric, model, stage, at_once=False, in_tensors=True), model, recorder, say)
    for number in range(steps):
        many = stage.batches() + stage.further_batches()
        chosen = [[(number * 6 + k + each) % len(data) for k in range(6)] for each in range(many)]
        batches = [
            Batch(to_float(fabric.to_device(data.images(rows))), fabric.to_device(data.labels(rows))) for rows in chosen
        ]
        seed_everything(number)
        if stage.each is not None:
            stage.each(model, number / steps)
        with _waiting_is_an_error() if number > WARM + PROVED and fabric.device.type == "cuda" else nullcontext():
            graphs.play(batches, number, number / steps, number)


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
