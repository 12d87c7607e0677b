"""What has to come of it: written down by hand, so that the gateway is not judged by itself."""

from __future__ import annotations

from typing import Final

from demo.outbound import Told

# Globex: all events of its accounts, its own codes (list GLX), times in UTC to the minute.
_GLOBEX: Final = (
    Told("nordlog", "NLGU4410023", "PUP", "", "334", "202503171330", "HAMBURG"),
    Told("nordlog", "NLGU4410023", "TRA", "", "334", "202503172110", "HAMBURG"),
    Told("nordlog", "NLGU4410023", "ARR", "", "133", "202503181030", "PRAHA"),  # 133: an estimate
    Told("nordlog", "NLGU4410023", "ARR", "", "334", "202503181020", "PRAHA"),
    Told("nordlog", "NLGU4431052", "EXC", "CUS", "334", "202503180810", "HAMBURG"),
    Told("kurier", "KU0000047110101", "DEL", "", "334", "202503181322", "ESSLINGEN"),
    Told("kurier", "KU0000047110102", "NDL", "NHO", "334", "202503180810", "GENT"),
    Told("kurier", "KU0000047110102", "AVL", "", "334", "202503181630", "GENT"),
    Told("kurier", "KU0000047110103", "UNK", "", "334", "202503181030", "HALLE"),
)

# Initech: changes of status only, codes of DE 9011, times of Europe/Berlin to the second.
_INITECH: Final = (
    Told("nordlog", "NLGU4428167", "21", "", "334", "20250318064500", "PRAHA"),
    Told("nordlog", "NLGU4431052", "90", "", "334", "20250318091000", "HAMBURG"),  # by subscription
    Told("kurier", "KU0000081500477", "OFD", "", "334", "20250318074012", "MUENCHEN"),
    Told("kurier", "KU0000081500477", "21", "", "334", "20250318161850", "MUENCHEN"),
    Told("kurier", "KU0000081500480", "20", "", "334", "20250318101500", "LYON"),
    Told("kurier", "KU0000081500480", "OFD", "", "334", "20250319072144", "LYON"),
)

TOLD: Final = {"globex": _GLOBEX, "initech": _INITECH}
# Umbra: changes of status, in the nine words: of its account at velopost, and of the parcel it subscribed to.
NOTIFIED: Final = (
    ("VP300200101", "PICKED_UP"),
    ("VP300200101", "IN_TRANSIT"),
    ("VP300200101", "OUT_FOR_DELIVERY"),
    ("VP300200101", "DELIVERED"),
    ("FJ880031NO", "PICKED_UP"),
    ("FJ880031NO", "IN_TRANSIT"),
    ("FJ880031NO", "OUT_FOR_DELIVERY"),
)

RECIPIENTS: Final = {"globex": ("GLOBEX:14", "D:01B"), "initech": ("INITECH:ZZZ", "D:96A")}  # UNB S003, UNH S009

# What no customer is told: a parcel of an account nobody asked for, and for Initech a scan that came late.
EVENTS: Final = 23
EVENTS_TOLD_TWICE: Final = 3  # the delivery of NLGU4428167, by another file in other words; FJ880031NO, asked again

SUBSCRIPTIONS: Final = (("initech", "nordlog", "NLGU4431052"), ("umbra", "fjordpak", "FJ880031NO"))

# Where, what stood there: minute 75.
QUARANTINED: Final = ("NL_IFTSTA_880057.edi", "880057002", 9, "DTM", "202503181075")
UNMAPPED: Final = ("kurier", "H7", 1)
