"""Numbers as tables show them."""

import math

MISSING = "–"


def short_number(value: float) -> str:
    """Returns "1,234" from a hundred up, three digits below, and a dash for what is not known (NaN)."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
