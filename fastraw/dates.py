"""Dates as HTTP sends them: IMF-fixdate, RFC 9110 section 5.6.7."""

from __future__ import annotations

from time import gmtime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Seconds since the epoch. The last is that of the year 9999: the grammar has four digits.
FIRST = 0
LAST = 253402300799


def format_date(seconds: float) -> str:
    """IMF-fixdate; a time before 1970 or after 9999 is given as the nearest that there is."""
    t = gmtime(min(max(seconds, FIRST), LAST))
    return (
        f"{DAYS[t.tm_wday]}, {t.tm_mday:02} {MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )
