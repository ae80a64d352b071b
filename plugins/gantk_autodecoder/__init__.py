"""The code loss of "A Survey of DCGAN based Unsupervised Decoding and Image Generation"."""
