"""Reading HTTP dates (RFC 9110 section 5.6.7), in each of their three formats."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ...dates import DAYS, MONTHS

_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_MONTH = f"(?P<month>{'|'.join(MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMATS = (
    # IMF-fixdate, the one that is sent; then the obsolete ones that must be understood.
    rf"(?:{'|'.join(DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"(?:{'|'.join(DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)
_MATCHES = tuple(re.compile(pattern).fullmatch for pattern in _FORMATS)


def parse_date(text: str) -> int | None:
    """Seconds since the epoch of a date in any of the three formats; None when it is no date."""
    for match in _MATCHES:
        found = match(text)
        if found is not None:
            break
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        # More than 50 years from now means the century before.
        now = datetime.now(timezone.utc).year
        year += now - now % 100
        year -= 100 if year > now + 50 else 0
    month, day = MONTHS.index(found["month"]) + 1, int(found["day"])
    hour, minute, second = (int(found[name]) for name in ("hour", "minute", "second"))
    try:
        # 60 is a leap second, which no clock here shows.
        date = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone.utc)
    except ValueError:
        return None
    return (date - _EPOCH) // timedelta(seconds=1) if second <= 60 else None
