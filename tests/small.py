"""Bundled plugins made small, so that whole trainings take a second."""

TINY: dict[str, dict[str, str]] = {
    "noise": {"gaussian": "gaussian:dim=6", "uniform": "uniform:dim=6", "de": "de:dim=6,autoencoder='vae:width=4'"},
    "generator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "vae": "vae:width=4",
        "degan": "degan:fc=16,widths=[8],closing_conv=false",
    },
    "discriminator": {"gan": "gan:widths=[16]", "dcgan": "dcgan:width=4", "degan": "degan:fc=16,widths=[4,8]"},
}
"""kind → bundled name → the same plugin, made small."""
