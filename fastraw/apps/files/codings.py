"""Files compressed beforehand: which neighbours of a file a client takes, the best first."""

from __future__ import annotations

from ...fields import quality

# Content codings and the end of a neighbour's name; of those that a client likes alike, the first
# is the smallest (RFC 9110 section 8.4.1, RFC 7932, RFC 8878).
CODINGS = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))

# Clients send few different lists; who makes them up gets no memory for it.
_KNOWN_LIMIT = 256
_known: dict[str, tuple[tuple[str, str], ...]] = {}


def accepted(accept_encoding: str | None) -> tuple[tuple[str, str], ...]:
    """Coding and end of name of each neighbour that the client would rather have than the file
    itself, in the order it wants them (RFC 9110 section 12.5.3)."""
    if accept_encoding is None:
        return ()
    found = _known.get(accept_encoding)
    if found is None:
        found = _accepted(accept_encoding)
        if len(_known) >= _KNOWN_LIMIT:
            _known.clear()
        _known[accept_encoding] = found
    return found


def _accepted(accept_encoding: str) -> tuple[tuple[str, str], ...]:
    weights = {coding: quality(accept_encoding, coding[0]) for coding in CODINGS}
    itself = quality(accept_encoding, "identity")
    wanted = [coding for coding in CODINGS if weights[coding] >= max(itself, 0.001)]
    return tuple(sorted(wanted, key=lambda coding: -weights[coding]))
