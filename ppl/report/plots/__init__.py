"""Plots: a module a kind; matplotlib is imported in `canvas` alone, and only when something is drawn."""
