"""Small IFTSTA files for the pipeline's tests."""

from __future__ import annotations


def sts(number: str, code: str, minute: int, *more: str) -> str:
    """One consignment with one status on 12 October 2026, 08:MM in Berlin."""
    extra = "".join(f"{segment}'" for segment in more)
    return f"CNI+1+{number}'STS+1+{code}'DTM+334:2026101208{minute:02d}:203'{extra}"


def message(*statuses: str, ref: str = "1", bgm: str = "23+R1+9", claim: int = 0, trailer: str = "") -> str:
    """One message around consignments."""
    body = f"BGM+{bgm}'DTM+137:202610120900:203'{''.join(statuses)}"
    count = claim or body.count("'") + 2
    return f"UNH+{ref}+IFTSTA:D:01B:UN'{body}UNT+{count}+{trailer or ref}'"


def interchange(*messages: str, ref: str = "I1", test: bool = False) -> bytes:
    """One interchange around messages."""
    flag = "++++++1" if test else ""
    text = f"UNB+UNOC:3+SPEEDY+HUB+261012:0900+{ref}{flag}'{''.join(messages)}UNZ+{len(messages)}+{ref}'"
    return text.encode("latin-1")
