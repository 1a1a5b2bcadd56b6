"""Compile: model -> log joint and gradient over S draws at once."""
