"""How a model learns: one trainer for every recipe."""

from gantk.training.begin import train

__all__ = ["train"]
