"""The devices that a model is trained on."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric

from gantk.building.train_settings import TrainSettings
from gantk.errors import UsageError

__all__ = ["fabric_of", "is_of_connection"]


def fabric_of(settings: TrainSettings) -> Fabric:
    """Lightning Fabric with these settings; raises `UsageError` if this machine does not support them."""
    try:
        return Fabric(
            accelerator=settings.accelerator,
            devices=settings.devices,
            strategy=settings.strategy,
            precision=settings.precision,
        )
    except (ValueError, RuntimeError, ImportError) as error:
        chosen = f"accelerator={settings.accelerator}, devices={settings.devices}, strategy={settings.strategy}"
        raise UsageError(f"train: {chosen}: {str(error).rstrip('.')}.") from error


def is_of_connection(error: RuntimeError) -> bool:
    """Whether processes could not talk to each other; errors of gloo have no type of their own."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
