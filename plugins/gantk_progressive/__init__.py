"""Progressive GAN: networks that grow from resolution to resolution."""
