"""StackGAN and StackGAN-v2: games on images of several sizes."""
