"""How a model learns: one trainer for every recipe."""

from gantk.training.trainer import train

__all__ = ["train"]
