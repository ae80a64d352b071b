"""What is on disk: a run's folder, its checkpoints and its log."""
