"""Exact nearest neighbors: for bytes and floats, on CPUs and GPUs."""

from gantk.ops.knn.distances import LARGEST, check_values, knn_distances

__all__ = ["LARGEST", "check_values", "knn_distances"]
