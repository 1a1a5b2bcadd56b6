"""a text from a model or its data -> the same without what cannot be shown, or would disorder what stands beside it."""

from __future__ import annotations

import unicodedata

_UNSHOWN = ("Cc", "Cs", "Co", "Cn")  # control characters, halves of surrogate pairs, letters that nobody has defined
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would turn the direction of the text behind


def showable(text: str, keep: str = "") -> str:
    """With a replacement character for each that cannot be shown; those of `keep` stay."""
    return "".join(
        letter if letter in keep or not (letter in _TURNING or unicodedata.category(letter) in _UNSHOWN) else "\ufffd"
        for letter in text
    )
