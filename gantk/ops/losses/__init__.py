"""Losses that go over memory once forward and once backward."""

from gantk.ops.losses.fused import code_loss, hidden_loss, vae_loss

__all__ = ["code_loss", "hidden_loss", "vae_loss"]
