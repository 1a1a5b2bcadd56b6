"""bytes -> text: UTF-8 or an error that says where and what else the file may be."""

from __future__ import annotations

from ppl.data import faults

_ZIP = b"PK\x03\x04"  # how zip files and Excel's .xlsx begin
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode(content: bytes, file: str) -> str:
    """The text of a file, without a byte order mark. Raises `DataError`."""
    if content.startswith(_ZIP):
        raise faults.zip_not_text(file)
    if content.startswith(_UTF16) or _is_utf16_without_mark(content):
        raise faults.is_utf16(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.count(b"\n") + 1
        character = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise faults.wrong_encoding(file, line, character, error.object[error.start]) from None
    if "\0" in text:
        raise faults.zero_byte(file, text.count("\n", 0, text.index("\0")) + 1)
    return text


def _is_utf16_without_mark(content: bytes) -> bool:
    """Whether every other byte at the beginning is zero, as in UTF-16 of Latin letters."""
    head = content[: min(len(content), 64) // 2 * 2]
    return len(head) >= 4 and any(head[::2]) != any(head[1::2])
