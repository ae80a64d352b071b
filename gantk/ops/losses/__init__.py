"""Fused losses: one pass over memory in the forward, and one in the backward."""

from gantk.ops.losses.fused import code_loss, hidden_loss, vae_loss

__all__ = ["code_loss", "hidden_loss", "vae_loss"]
