"""StackGAN and StackGAN-v2: images of growing size, stage by stage or all in one tree."""
