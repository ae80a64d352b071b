"""DeLiGAN: noise from a learned mixture of Gaussians."""
