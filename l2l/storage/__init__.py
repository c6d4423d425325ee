"""Saved optimizers and meta-trainings on disk."""
