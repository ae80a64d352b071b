"""SAGAN and BigGAN: residual networks with self-attention and spectral normalization."""
