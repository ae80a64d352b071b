"""Building blocks for networks of any image size, for the bundled plugins and your own.

Size planning (`halved`, `halve_until`), layers that match those sizes exactly (`upsampler`, `downsampler`), stacks
(`DownStack`, `up_stack`), residual blocks, normalization by name, and modulated by a vector (`Modulation`), weight
initialization, discriminator heads, and projection onto the unit sphere (`OnSphere`).
"""

from gantk.nn.average import Average
from gantk.nn.heads import Head, provided, read_off
from gantk.nn.layers import (
    Norm,
    Output,
    check_kernel,
    downsampler,
    init_weights,
    normalization,
    output_activation,
    upsampler,
)
from gantk.nn.modes import evaluating
from gantk.nn.modulation import Modulation
from gantk.nn.residual import ResidualBlock
from gantk.nn.sizes import Size, halve_until, halved
from gantk.nn.sphere import OnSphere, on_sphere
from gantk.nn.stacks import DownStack, up_stack

__all__ = [
    "Average",
    "DownStack",
    "Head",
    "Modulation",
    "Norm",
    "OnSphere",
    "Output",
    "ResidualBlock",
    "Size",
    "check_kernel",
    "downsampler",
    "evaluating",
    "halve_until",
    "halved",
    "init_weights",
    "normalization",
    "on_sphere",
    "output_activation",
    "provided",
    "read_off",
    "up_stack",
    "upsampler",
]
