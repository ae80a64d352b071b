"""Building blocks for networks of any image size, for the bundled plugins and your own.

Size planning (`halved`, `halve_until`), sizes in names and messages (`size_name`, `size_list`), layers that match those
sizes exactly (`upsampler`, `downsampler`), stacks (`DownStack`, `up_stack`), residual blocks, normalization by name or
modulated by a vector (`Modulation`), weight initialization, discriminator heads, minibatch discrimination
(`MinibatchFeatures`), posteriors from the outputs of an encoder (`gaussian`, `point`), and projection onto the unit
sphere (`OnSphere`). For losses and augmentations: the `logits` and a `hidden_map` of a verdict, and `pixels_at`.
"""

from gantk.nn.average import Average
from gantk.nn.codes import divergence_from_normal, gaussian, point
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
from gantk.nn.minibatch import MinibatchFeatures
from gantk.nn.modes import evaluating
from gantk.nn.modulation import Modulation
from gantk.nn.pixels import pixels_at
from gantk.nn.residual import ResidualBlock
from gantk.nn.sizes import Size, halve_until, halved, size_list, size_name
from gantk.nn.sphere import OnSphere, on_sphere
from gantk.nn.stacks import DownStack, up_stack
from gantk.nn.verdicts import hidden_map, logits, wide

__all__ = [
    "Average",
    "DownStack",
    "Head",
    "MinibatchFeatures",
    "Modulation",
    "Norm",
    "OnSphere",
    "Output",
    "ResidualBlock",
    "Size",
    "check_kernel",
    "divergence_from_normal",
    "downsampler",
    "evaluating",
    "gaussian",
    "halve_until",
    "halved",
    "hidden_map",
    "init_weights",
    "logits",
    "normalization",
    "on_sphere",
    "output_activation",
    "pixels_at",
    "point",
    "provided",
    "read_off",
    "size_list",
    "size_name",
    "up_stack",
    "upsampler",
    "wide",
]
