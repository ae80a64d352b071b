"""Objectives of one player in several games, and the games of a conditional discriminator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gantk import Binding, Loss, Step, Terms

__all__ = ["Games", "blank", "games_of", "mismatched"]

Losses = Sequence[tuple[str, Loss]]


class Games:
    """One player's terms in several games: the adversarial loss in each with its share, all others in the first only.

    Args:
        losses: the model's losses with their names.
        role: the player's role.
        games: name → (binding, share of the adversarial loss).
    """

    def __init__(self, losses: Losses, role: str, games: Mapping[str, tuple[Binding, float]]) -> None:
        adversarial = [(name, loss) for name, loss in losses if loss.adversarial]
        (first, (binding, share)), *others = games.items()
        self.terms = {first: Terms(losses, role, binding)}
        self.shares = {first: share}
        if adversarial:
            self.terms |= {name: Terms(adversarial, role, binding) for name, (binding, _) in others}
            self.shares |= {name: share for name, (_, share) in others}

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        if len(self.terms) == 1:
            (only,) = self.terms.values()
            return only(step)
        found: dict[str, Tensor] = {}
        for number, (game, terms) in enumerate(self.terms.items()):
            played = {name for name, loss in terms.losses if loss.adversarial}
            before = dict(step.logged)
            with step.under(game):
                values = terms(step)
            kept = {
                name: self.shares[game] if name in played else 1.0 for name in values if name in played or not number
            }
            found |= {f"{game}/{name}": share * values[name] for name, share in kept.items()}
            new = {name: logged for name, logged in step.logged.items() if name not in before}
            step.logged = before | _shared(new, f"{game}/", kept)
        return found

    def __str__(self) -> str:
        prefixed = len(self.terms) > 1
        summands = []
        for game, terms in self.terms.items():
            for name, loss in terms.losses:
                weight = loss.weight * (self.shares[game] if loss.adversarial else 1.0)
                written = f"{game}/{name}" if prefixed else name
                summands.append(written if weight == 1 else f"{weight:g}·{written}")
        return " + ".join(summands)


def _shared(
    logged: Mapping[str, tuple[Tensor, float]], game: str, kept: Mapping[str, float]
) -> dict[str, tuple[Tensor, float]]:
    """What was logged in a game of the terms that are kept, with their shares in the weights."""
    terms = {name: name.rpartition(game)[2].partition("/")[0] for name in logged}
    return {
        name: (value, weight * kept[terms[name]]) for name, (value, weight) in logged.items() if terms[name] in kept
    }


def games_of(
    role: str, binding: Binding, judge: nn.Module, *, matching: bool, unconditional: float
) -> dict[str, tuple[Binding, float]]:
    """The games of a player in a conditional model.

    Args:
        role: `discriminator` or `generator`.
        binding: the usual game: images with their conditions.
        judge: the binding's discriminator.
        matching: whether the discriminator also plays against real images with the conditions of others, for half of
            its loss (Reed et al. 2016): with a loss of a real and a fake term, it minimizes
            real + (mismatched + fake) / 2.
        unconditional: share of the game without conditions; 0 for none. A discriminator with a module `unconditional`
            plays it with that, and any other with conditions of zeros.
    """
    pairs = matching and role == "discriminator"
    games = {"game": (binding, 0.5 if pairs else 1.0)}
    if pairs:
        games["mismatch"] = (replace(binding, fake=f"{binding.real}-mismatched"), 0.5)
    if unconditional:
        own = getattr(judge, "unconditional", None) is not None
        path = f"{binding.discriminator}.unconditional" if own else binding.discriminator
        games["unconditional"] = (replace(binding, discriminator=path, condition="blank"), unconditional)
    return games


def mismatched(real: str, fake: str) -> Callable[[Step], Tensor]:
    """The value of real images with the conditions of others: row i is image i - 1.

    Where both have the same condition, it is the generated image of row i, since the real one would match.

    Args:
        real: name of the value of the real images.
        fake: name of that of the generated ones.
    """

    def value(step: Step) -> Tensor:
        conditions, images = step["condition"], step[real]
        same = (conditions == conditions.roll(1, 0)).all(dim=1)
        return torch.where(same[:, None, None, None], step[fake].to(images.dtype), images.roll(1, 0))

    return value


def blank(step: Step) -> Tensor:
    """Conditions of zeros, which stand for none."""
    return torch.zeros_like(step["condition"])
