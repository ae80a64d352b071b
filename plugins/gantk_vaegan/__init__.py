"""VAE/GAN: an autoencoder compared by what a discriminator sees."""
