"""Bundled plugins made small, so that whole trainings take a second."""

TINY: dict[str, dict[str, str]] = {
    "noise": {
        "gaussian": "gaussian:dim=6",
        "uniform": "uniform:dim=6",
        "de": "de:dim=6,autoencoder='vae:width=4'",
        "sphere": "sphere:dim=6",
    },
    "generator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "vae": "vae:width=4",
        "degan": "degan:fc=16,widths=[8],closing_conv=false",
        "aegan": "aegan:width=4,embedding=8",
        "age": "age:width=4",
        "progan": "progan:fmap_base=16,fmap_max=8",
    },
    "discriminator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "degan": "degan:fc=16,widths=[4,8]",
        "aegan": "aegan:width=4",
        "progan": "progan:fmap_base=16,fmap_max=8",
    },
    "refiner": {"denoiser": "denoiser:width=4"},
}
"""kind → bundled name → the same plugin, made small."""
