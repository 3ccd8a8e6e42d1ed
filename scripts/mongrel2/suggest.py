"""A word that somebody may have meant instead of one that is not known."""

from __future__ import annotations

from typing import Iterable


def did_you_mean(word: str, known: Iterable[str], mark: str = "") -> str:
    """" Did you mean WORD?" if one of the known words is close; else ""."""
    import difflib  # only where something is wrong already

    close = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {mark}{close[0]}?" if close else ""
