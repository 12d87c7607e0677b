"""How often Python looks for objects that keep each other alive."""

from __future__ import annotations

import gc
from typing import Final

_MADE: Final = 50_000  # objects between two looks: about what a batch of events makes, most of which goes by itself


def spare_the_collector() -> None:
    """Look seldom, and never again at what is there by now: it stays as long as the process.

    Looking through it with all that comes and goes would hold everybody up each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MADE)
