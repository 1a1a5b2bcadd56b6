"""Infer: log joint -> guide, correction, verdict."""
