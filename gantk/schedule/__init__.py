"""The training algebra: a system is stages of players, and a step holds one batch's shared values."""

from gantk.schedule.objective import Binding, Joined, Objective, SharedPlay, Terms
from gantk.schedule.play import Play
from gantk.schedule.stage import Length, Player, Stage
from gantk.schedule.step import Batch, Step, Value

__all__ = [
    "Batch",
    "Binding",
    "Joined",
    "Length",
    "Objective",
    "Play",
    "Player",
    "SharedPlay",
    "Stage",
    "Step",
    "Terms",
    "Value",
]
