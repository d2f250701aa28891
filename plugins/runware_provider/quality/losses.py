"""What answers hold and rows do not, by the name of the mend that a row tells. Pure."""

from typing import Final

LOSSES: Final = {
    "unknown_keys": "keys that the schema does not describe",
    "omitted_items": "items of lists that do not fit, as the model wishes",
}
"""What rows lose with these mends; all others only change how an answer is written."""
