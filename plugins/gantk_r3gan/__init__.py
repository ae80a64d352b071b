"""R3GAN: relativistic pairs with R1 and R2, on residual networks without normalization."""
