"""Amounts of memory, as people read them."""


def format_bytes(count: int) -> str:
    """Write a number of bytes in the unit that leaves one to three digits before the point.

    Examples
    --------
    >>> format_bytes(999), format_bytes(61_289), format_bytes(256_000_000), format_bytes(10**13)
    ('999 bytes', '61.3 kB', '256 MB', '10,000 GB')
    """
    if count < 1000:
        return f"{count} bytes"
    amount, unit = count / 1000, "kB"
    for larger in ("MB", "GB"):
        if amount >= 999.5:
            amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:,.0f} {unit}"
