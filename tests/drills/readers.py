"""What gantk reads that others may have written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from drills.checkpoint_readers import former, manifest, safetensors, training
from drills.data_readers import archive, idx, image, npy, npz, tar
from drills.fuzz import Reader
from drills.run_readers import history, lock, log, model, scores, spec

import gantk
from gantk.building.construct import part_class
from gantk.building.settings import apply_setting
from gantk.building.spec import part_table
from gantk.building.weighed import Weighed
from gantk.options import typed_options
from gantk.registry import plugins

__all__ = ["READERS"]


def options() -> Reader:
    """Parts with options, and settings, as the command line takes them."""
    kinds = ("noise", "generator", "discriminator", "loss", "addon", "metric", "extractor", "data", "recipe")
    seeds = [f"{kind} {plugin.name}".encode() for kind in kinds for plugin in plugins(kind)]
    seeds += [
        b"noise de:dim=64,sample=false",
        b"generator modulated:of='dcgan:width=4',hidden=4",
        b"data folder:path=x,size=[8,9]",
    ]
    seeds += [b"loss hidden:weight=0.5", b"noise gantk:gaussian:dim=[1, {a = 2}]", b"set stages.game.generator.lr=1e-3"]

    def read(data: bytes, folder: Path) -> None:
        kind, _, text = data.decode("utf-8", "surrogateescape").partition(" ")
        if kind == "set":
            apply_setting({"noise": {"plugin": "gantk:gaussian"}, "loss": [{"plugin": "gantk:hinge"}]}, text)
        elif kind in kinds:
            table = part_table(kind, text)
            chosen = {name: value for name, value in table.items() if name != "plugin"}
            typed_options(part_class(kind, table["plugin"]), chosen, table["plugin"])

    return Reader(seeds, read, [b"=", b",", b":", b"[", b"]", b"{", b"}", b"'", b'"', b"dim=", b"none", b"true"])


def parts() -> Reader:
    """Small parts that are constructed with options."""
    seeds = [
        b"noise gaussian:dim=4",
        b"noise uniform:dim=4",
        b"noise mixture:dim=4,components=3",
        b"loss hinge",
        b"loss wgan-gp:gp_weight=1",
    ]
    seeds += [
        b"generator gan:widths=[4]",
        b"discriminator gan:widths=[4]",
        b"generator dcgan:width=1",
        b"loss r1:weight=2",
    ]

    def read(data: bytes, folder: Path) -> None:
        kind, _, text = data.decode("utf-8", "surrogateescape").partition(" ")
        if kind in ("noise", "loss", "generator", "discriminator"):
            with Weighed():
                gantk.construct(kind, text, image_shape=(1, 8, 8), noise_dim=4, class_count=2)

    return Reader(seeds, read, [b"=", b",", b":", b"[", b"]", b"weight=", b"dim=", b"width=", b"widths=", b"none"])


READERS: Mapping[str, Callable[[], Reader]] = {
    each.__name__.replace("archive", "zip"): each
    for each in (
        *(spec, model, options, parts, idx, image, archive, tar, npy, npz, safetensors, training, former),
        *(log, lock, manifest, history, scores),
    )
}
"""What is read → its reader."""
