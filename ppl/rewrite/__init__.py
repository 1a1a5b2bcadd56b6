"""Rewrite: terms -> terms, before they are compiled."""
