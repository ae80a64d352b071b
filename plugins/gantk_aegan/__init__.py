"""AEGAN: a game on embeddings, and the denoiser."""
