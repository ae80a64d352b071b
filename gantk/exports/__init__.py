"""Trained models in forms that run without gantk."""

from gantk.exports.export import Exported, export

__all__ = ["Exported", "export"]
