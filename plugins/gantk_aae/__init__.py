"""The adversarial autoencoder, unsupervised and with labels."""
