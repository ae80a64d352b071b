"""The trial at the end of a build: each player takes one turn in each stage; then the model is restored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from gantk import toml
from gantk.building.movers import reached
from gantk.building.snapshot import Snapshot
from gantk.building.tried_turn import Attempt, Failed, TriedTurn, parameters_of
from gantk.errors import FitError, GantkError, briefly
from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import Condition
from gantk.schedule import Batch, Player, Stage
from gantk.schedule.objective import written
from gantk.schedule.optimizers import FUSED, make_optimizer
from gantk.schedule.scores import Scores
from gantk.schedule.step import overlap

__all__ = ["try_stages"]

FEW, SEVERAL = 2, 32
"""How many images a stage is tried on, and how many if it fails on so few."""
MOST_CLIPPED = 30
"""The largest ratio of a median initial weight to the clipping limit. WGAN's own networks begin at one to four times
their limit of 0.01. Weights that are scaled at run time (Karras et al. 2018, section 4.1) begin at 70 times that, and
clipping them would leave almost nothing."""


def try_stages(model: Model, stages: Sequence[Stage], labels: Tensor | None = None, pieces: int = 1) -> set[str]:
    """Let every player take one turn on a few random images, as in training: its terms, their gradients, and a step of
    its optimizer. The states of parts are computed, but not kept. The model is then restored bit for bit.

    Args:
        model: the assembled model.
        stages: its stages.
        labels: labels of some images, if the data has labels.
        pieces: into how many pieces a batch is split, on all devices.

    Returns:
        The names of the parameters that a player trains: it moves them, and its terms depend on them.

    Raises:
        FitError: training would fail; the message names the player and the part.
        OptionError: a player's setting does not fit it.
    """
    objectives = [player.objective for stage in stages for player in stage.players]
    before = Snapshot(model, [*objectives, *([model.built.recipe] if model.is_built else [])])
    try:
        trial = _Trial(model, stages, labels)
        for number, stage in enumerate(stages):
            size = max(1, stage.batch_size // pieces)
            try:
                trial.play(number, Attempt(min(size, FEW)))
            except Failed as failed:
                _play_again(trial, before, number, size, failed)
    finally:
        before.restore()
    return trial.moved


def _play_again(trial: _Trial, before: Snapshot, number: int, size: int, failed: Failed) -> None:
    """Try a stage that failed on a few images again on more, which a loss that compares neighbors may need.

    If it fails again, its terms are tried one by one, to find out which of them fails.
    """
    size = min(size, SEVERAL)
    for attempt in (Attempt(size), Attempt(size, separately=True)):
        before.restore()
        trial.enter(number)
        try:
            trial.play(number, attempt)
            if not attempt.separately:
                return
        except Failed as again:
            failed = again
    raise FitError(str(failed)) from failed


class _Trial:
    def __init__(self, model: Model, stages: Sequence[Stage], labels: Tensor | None) -> None:
        self.model = model
        self.stages = stages
        self.labels = labels
        self.drawn = list(_draws(model, labels))
        self.moved: set[str] = set()

    def enter(self, count: int) -> None:
        """Enter the first `count` stages without playing them."""
        for stage in self.stages[:count]:
            _enter(self.model, stage)

    def play(self, number: int, attempt: Attempt) -> None:
        """Enter a stage and play one step of it."""
        stage = self.stages[number]
        _enter(self.model, stage)
        self.model.eval()
        for path in stage.moves():
            self.model.get_submodule(path).train()
        optimizers = {player.name: _optimizer(self.model, player) for player in stage.players}
        self._step(stage, attempt, optimizers)
        if any(tensor.grad_fn is not None for module in self.model.modules() for tensor in _held(module)):
            # A module keeps a tensor with its graph: the next step fails unless the tensor is replaced by then.
            self._step(stage, attempt._replace(again=True), optimizers)

    def _step(self, stage: Stage, attempt: Attempt, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        step = self.model.step(self._batch(attempt.size), stage.values)
        for player in stage.players:
            following = stage.following(player)
            _wake(self.model, [player, *following])
            step.begin(player.moves, [path for other in following for path in other.moves], remember=True)
            turn = TriedTurn(self.model, stage, player, attempt)
            with Scores(map(self.model.get_submodule, player.moves)) as scores:
                terms = turn.terms(step)
            _check_clipping(stage, player, scores.clipped(list(parameters_of(self.model, [player]))))
            self.moved |= self._moved(player, terms.values())
            if self._between(stage):
                continue
            turn.backward(terms)
            if "noise" in step.used(player.moves):
                self._check_drawn(stage, player)
            turn.move(optimizers[player.name])
            step.end()

    def _moved(self, player: Player, terms: Iterable[Tensor]) -> set[str]:
        if player.optimizer.get("lr") == 0:
            return set()
        live = reached(terms)
        names = {id(p): n for n, p in self.model.named_parameters() if id(p) in live}
        return {names[id(p)] for p in parameters_of(self.model, [player]) if id(p) in names}

    def _between(self, stage: Stage) -> bool:
        """Whether stages before and after this one have the same players, as in the training of a growing network.

        Gradients take most of the time of a build, so of such stages only the first and the last compute them.
        """
        alike = [each for each in self.stages if _players(each) == _players(stage)]
        return stage not in (alike[0], alike[-1])

    def _batch(self, size: int) -> Batch:
        images = torch.rand(size, *self.model.image_shape) * 2 - 1
        if self.labels is None:
            return Batch(images)
        return Batch(images, self.labels[torch.arange(size) % len(self.labels)])

    def _check_drawn(self, stage: Stage, player: Player) -> None:
        """Check that a player moves the parameters that samples of the noise or condition depend on, if they require
        gradients."""
        if not overlap(player.moves, ["generator"]):
            return
        moved = [path for stage in self.stages for path in stage.moves()]
        for slot, name in self.drawn:
            if overlap([f"{slot}.{name}"], moved):
                continue
            part = self.model.parts[slot]
            inner = [f"{slot}.{path}" if path else slot for path in part.learned]
            carries = (
                f"stage '{stage.name}': the samples of {slot} {type(part).__name__} carry gradients to its parameter "
                f"'{name}', which no player moves"
            )
            if overlap([f"{slot}.{name}"], inner) or (slot == "noise" and not inner):
                other = f"choose another recipe, or another --{slot}"
                raise FitError(f"{carries}: this recipe moves nothing that a {slot} learns", other)
            raise FitError(f"{carries}: name its module in `learned`, or make it a buffer.")


def _players(stage: Stage) -> list[tuple[object, ...]]:
    return [(p.name, p.moves, p.optimizer, written(p.objective)) for p in stage.players]


def _enter(model: Model, stage: Stage) -> None:
    try:
        if stage.enter is not None:
            stage.enter(model)
        if stage.each is not None:
            stage.each(model, 0.0)
    except GantkError:
        raise
    except Exception as error:
        raise FitError(f"stage '{stage.name}' cannot be entered: {type(error).__name__}: {briefly(error)}") from error


def _optimizer(model: Model, player: Player) -> torch.optim.Optimizer:
    # A fused optimizer does not tell autograd that it changes parameters, by which a kept graph is found.
    plain = {"fused": False} if player.optimizer["optimizer"] in FUSED else {}
    try:
        return make_optimizer({**plain, **player.optimizer}, dict.fromkeys(parameters_of(model, [player])))
    except Exception as error:
        raise FitError(
            f"player '{player.name}': optimizer {player.optimizer['optimizer']}: {briefly(error)}"
        ) from error


def _wake(model: Model, players: Sequence[Player]) -> None:
    """Let only the parameters that these players move require gradients."""
    model.requires_grad_(False)
    for parameter in parameters_of(model, players):
        parameter.requires_grad_(True)


def _held(module: nn.Module) -> Iterator[Tensor]:
    """A module's buffers and other tensor attributes."""
    yield from (tensor for tensor in (*module._buffers.values(), *vars(module).values()) if isinstance(tensor, Tensor))


def _draws(model: Model, labels: Tensor | None) -> Iterator[tuple[str, str]]:
    """(slot, parameter name) of parameters that gradients of the samples of a noise or condition reach."""
    for slot, part in (("noise", model.noise), ("condition", model.condition)):
        if part is None:
            continue
        parameters = {name: each for name, each in part.named_parameters() if each.requires_grad}
        if not parameters:
            continue
        with evaluating(part), torch.enable_grad():
            drawn = model.noise.sample(FEW) if part is model.noise else cast(Condition, part).of(cast(Tensor, labels))
        if drawn.requires_grad:
            found = torch.autograd.grad(drawn.sum(), list(parameters.values()), allow_unused=True)
            yield from ((slot, name) for name, each in zip(parameters, found, strict=True) if each is not None)


def _check_clipping(stage: Stage, player: Player, clipped: Sequence[nn.Parameter]) -> None:
    weights = [weight.abs().flatten() for weight in clipped]
    if not player.clip_weights or not weights:
        return
    usual = torch.cat(weights).median().item()
    if usual > MOST_CLIPPED * player.clip_weights:
        raise FitError(
            f"stage '{stage.name}': player '{player.name}' clips its weights to "
            f"±{toml.number(player.clip_weights)}, but half of them start above {usual:.1g}, so almost "
            "nothing would be left of them",
            "use a --loss that clips no weights, or another --discriminator",
        )
