"""Syslog framing: a datagram becomes the line of the log that it carries.

Both forms are read from left to right, in time linear in the datagram, without regular expressions.
"""

from __future__ import annotations

from typing import Final

_HIGHEST: Final = 191
"""The largest priority: facility 23, severity 7."""
_DIGITS: Final = bytes.maketrans(b"0123456789", b"9" * 10)
_STAMPS: Final = frozenset(
    month + day + b" 99:99:99 "
    for month in b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    for day in (b" 99", b"  9")
)
"""RFC 3164, 4.1.2, with every digit as 9."""
_STAMP: Final = 16
_INSTANT: Final = b"9999-99-99T99:99:99"
_OFFSETS: Final = frozenset({b"Z", b"+99:99", b"-99:99"})
_LONGEST_INSTANT: Final = 35
"""RFC 3339, with up to nine digits of a second."""
_MARK: Final = b"\xef\xbb\xbf"
_LONGEST_NAME: Final = 32
"""RFC 5424, 6.3.2."""
_QUOTE, _BACKSLASH = b'"\\'


def message(datagram: bytes) -> bytes | None:
    """What a datagram of syslog says.

    RFC 3164 with or without priority and host name, as nginx and HAProxy send it, also with the time stamps of rsyslog
    (RFC 3339), and RFC 5424. Octet counts belong to streams and are not read.

    Args:
        datagram: As it was received.

    Returns:
        The message without the line ends and NULs behind it; inner ones stay. None when the framing is broken.
    """
    text = datagram.rstrip(b"\n\0")
    at = _after_priority(text)
    if at < 0:
        return None
    return _rfc5424(text, at + 2) if at and text.startswith(b"1 ", at) else _rfc3164(text, at)


def _after_priority(text: bytes) -> int:
    """Where what follows `<190>` begins: 0 when there is no priority, -1 when it is none."""
    if not text.startswith(b"<"):
        return 0
    end = text.find(b">", 1, 5)
    number = text[1:end]
    return end + 1 if end > 0 and number.isdigit() and int(number) <= _HIGHEST else -1


def _rfc3164(text: bytes, at: int) -> bytes | None:
    """`Nov 22 02:32:34 [host] tag: message`; a first word that ends with a colon is the tag, as no host does."""
    stamp = _stamp_end(text, at)
    if stamp < 0:
        return None
    word, _, rest = text[stamp:].partition(b" ")
    if word and not word.endswith(b":"):
        word, _, rest = rest.partition(b" ")
    return rest if word.endswith(b":") else None


def _stamp_end(text: bytes, at: int) -> int:
    """Behind a time stamp and its blank, -1 where there is none."""
    end = at + _STAMP
    if text[at:end].translate(_DIGITS) in _STAMPS:
        return end
    end = text.find(b" ", at, at + _LONGEST_INSTANT + 1)
    shape = text[at:end].translate(_DIGITS) if end >= 0 else b""
    second, fraction = shape[: len(_INSTANT)], shape[len(_INSTANT) :]
    offset = fraction[1:].lstrip(b"9") if fraction.startswith(b".9") else fraction
    good = second == _INSTANT and offset in _OFFSETS and len(fraction) - len(offset) <= 10
    return end + 1 if good else -1


def _rfc5424(text: bytes, at: int) -> bytes | None:
    """`TIMESTAMP HOST APP PROCID MSGID DATA [message]`, each `-` when unknown."""
    for _ in range(5):
        end = text.find(b" ", at)
        if end <= at:
            return None
        at = end + 1
    end = _data_end(text, at)
    if end < 0 or text[end : end + 1] not in {b"", b" "}:
        return None
    return text[end + 1 :].removeprefix(_MARK)


def _data_end(text: bytes, at: int) -> int:
    """Where structured data ends, `-` or `[id name="value"]…`; -1 when it does not."""
    if text.startswith(b"-", at):
        return at + 1
    start = at
    while text.startswith(b"[", at):
        at = _name_end(text, at + 1)
        while text.startswith(b" ", at):
            at = _name_end(text, at + 1)
            at = _value_end(text, at + 2) if text.startswith(b'="', at) else len(text)
        if not text.startswith(b"]", at):
            return -1
        at += 1
    return at if at > start else -1


def _name_end(text: bytes, at: int) -> int:
    """Where a name ends that is no longer than names are."""
    end = at
    while end < min(len(text), at + _LONGEST_NAME) and text[end] not in b' ="]':
        end += 1
    return end


def _value_end(text: bytes, at: int) -> int:
    """Behind the quote that no backslash escapes, or the end of the text."""
    while at < len(text) and text[at] != _QUOTE:
        at += 2 if text[at] == _BACKSLASH else 1
    return at + 1
