"""BEGAN and EBGAN: the discriminator is an autoencoder."""
