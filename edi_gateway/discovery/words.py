"""What carriers call things, in their languages: names of columns, and words in the texts beside status codes.

Names are compared folded: small letters, no accents, nothing between words. The first expression that fits decides how
well a name fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from edi_gateway.model import Status

_Names = Sequence[tuple[re.Pattern[str], int]]


def _names(*entries: tuple[int, str]) -> _Names:
    return tuple((re.compile(expression), weight) for weight, expression in entries)


NAMES: Final[dict[str, _Names]] = {
    "tracking_number": _names(
        (-9, r"url|link|type$|status|count|weight|date|time|unique|local|customer|shipper|return|sender|consignee"),
        (10, r"track(?:ing)?(?:number|num|nr|no|id|code|ingid)|trackandtrace|sendungs?(?:nr|nummer|id|code)|awb"),
        (
            9,
            r"barcode|parcel(?:label)?(?:number|num|no|nr|id|code)|paket(?:schein)?(?:nr|nummer|id|schein)|waybill|sscc",
        ),
        (9, r"(?:numero|num|no|n)(?:de|du)?(?:colis|suivi|lettre|envio|seguimiento|guia|spedizione|przesylki)"),
        (9, r"zending(?:s?nummer|s?nr|id)?$|pakketnummer|nrprzesylki|listprzewozowy|numerlistu|forsendelse|sandnings?"),
        (8, r"consignment(?:number|no|nr|id)?$|con(?:signment)?note|connote|kolli(?:nr|nummer|id)?$|colis|suivi|envio"),
        (8, r"expedicion|expedition|spedizione|seguimiento|przesylk|piececode|articleid|itemcode|itemid|mailpieceid"),
        (
            7,
            r"shipment(?:number|num|no|nr|id)|idship|unitno|containerno|containernumber|equipmentreference|^hawb|^mawb",
        ),
        (
            6,
            r"^pin$|^parcel$|^paket$|^sendung$|^shipment$|^piece(?:id|number|identifier)?$|^colli$|^package(?:id|number)",
        ),
        (3, r"number$|nummer$|numero$|nr$|^id$"),
    ),
    "code": _names(
        (
            -9,
            (
                r"country|post|zip|plz|city|location|depot|service|product|currency|lang|mailtype|reason|return|exception|carrier"
                r"|unit|provinc|region"
            ),
        ),
        (
            10,
            r"(?:status|event|scan|state|activity|ereignis|statut|estado|stato|evento|evenement|scan)(?:code|nr|id|key)",
        ),
        (10, r"(?:code|kode|codigo|codice|kod)(?:status|event|evenement|statut|estado|stato|evento|etat|statusu)"),
        (9, r"(?:event|status|activity|scan)(?:identifier|type|subtype)|activitystatustype|statusschluessel"),
        (7, r"^(?:status|event|scan|state|ereignis|statut|estado|stato|evento|evenement|gebeurtenis|zdarzenie)$"),
        (7, r"^(?:vorgang|meldung|handelse|haendelse|situation|etat|situacion|esito|scanart|statusart|art)$"),
        (6, r"^(?:code|kode|codigo|codice|kod)$"),
        (3, r"status|event|scan|code"),
    ),
    "reason": _names(
        (9, r"(?:reason|exception|motif|motivo|grund|ursache|raison|causa|reden)(?:code|nr|id|key)?$"),
    ),
    "text": _names(
        (-9, r"country|city|location|service|product|parcel|delivery|signat|proof|language"),
        (9, r"(?:event|status|scan|state|activity|ereignis)(?:description|desc|text|name|message|label|remark|detail)"),
        (8, r"description|beschreibung|bezeichnung|libelle|descripcion|descrizione|omschrijving|opis|beskrivning"),
        (7, r"text$|label$|message|bemerkung|remark|comment|details?$|summary|info$|klartext|hinweis|note$"),
        (6, r"^(?:event|status|ereignis|statut|estado|stato)$"),
    ),
    "when": _names(
        (-6, r"estimat|expect|schedul|planned|predict|eta$|target|promis|birth|window|return|due|voraussicht|prevu"),
        (
            -6,
            r"invoice|print|upload|message|create|creat|update|modif|entry|actual|signature|manifest|mpdate|file|batch",
        ),
        (-4, r"ship(?:ped|ment|ping|on)|order|label|local|pickup|versand|delivery|first|last"),
        (
            10,
            r"(?:event|status|scan|state|activity|ereignis|evenement|evento|occur)[a-z]*(?:date|time|stamp|zeit|datum)",
        ),
        (10, r"(?:event|status|scan|ereignis)(?:dt|at|on)$|occurred|happened|horodat|zeitstempel|zeitpunkt"),
        (8, r"timestamp|datetime|dateheure|datumzeit|fechahora|dataora|datatime|tidpunkt"),
        (7, r"date|datum|fecha|data$|dato$|zeit|time|tijd|heure|hora|czas|tid$|^when$|when$"),
    ),
    "clock": _names(
        (-9, r"zone|offset|datetime|timestamp"),
        (8, r"time|zeit|heure|hora|uhr|tijd|^ora|ora$|godz|^tid$|tid$|klokk|hour|^hhmm"),
    ),
    "zone": _names((9, r"zone|offset|^tz|tz$|utc")),
    "place": _names(
        (
            -9,
            r"code|id$|postal|zip|type|origin|destination|recipient|shipper|receiver|consignee|sender|country|addressee",
        ),
        (9, r"(?:event|scan|status|activity)(?:location|city|site|place|ort)|scanort|ereignisort"),
        (
            8,
            r"location(?:name|city|description)?$|servicearea|^city$|^ort$|^place$|ville|ciudad|citta|plaats|miasto|lieu",
        ),
        (7, r"city$|town|facility|ort$|site$|lugar|luogo|locationname|plats|miejsce|address|station|terminal|office"),
        (5, r"depot|hub|branch|filiale|agence"),
    ),
    "country": _names(
        (-9, r"origin|destination|recipient|shipper|receiver|consignee|sender|addressee"),
        (8, r"country|^land$|land(?:code|kz)?$|laenderc|pays|pais|paese|kraj|nation"),
    ),
    "unlocode": _names((10, r"unlocode|unloc|locode|unlocation")),
    "signatory": _names(
        (-9, r"date|time|image|exist|required|url|suppress|option|service|type|display"),
        (
            9,
            r"signat|signed|signee|received(?:by|from)|receivername|unterschrift|empfangenvon|quittung|firma(?:to|nte)",
        ),
        (8, r"^pod(?:name)?$|podname|firmado|firmatario|signe(?:par)?|handtekening|ontvangendoor|podpis|annahme"),
    ),
    "account": _names(
        (
            8,
            r"account(?:number|no|nr|id)?$|kunden(?:nr|nummer|konto)|customer(?:number|no|nr|id)$|numeroclient|klantnummer",
        ),
        (7, r"customernumber|abonado|codiceclien"),
    ),
}

REFERENCES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "ON",
        re.compile(
            r"order(?:number|no|nr|id|ref)?$|bestell|auftrag|commande|pedido|ordine|zamowien|^po(?:number|no)?$"
        ),
    ),
    (
        "CU",
        re.compile(
            r"(?:customer|shipper|sender|client|kunden?|own)[a-z]*ref|^ref(?:erence|erenz|erentie|erencia)?s?\d?$"
        ),
    ),
    ("CU", re.compile(r"referenz|reference$|referencia|riferimento|referentie|referans|customerref")),
    ("IV", re.compile(r"invoice|rechnung|facture|factura|fattura|factuur")),
    ("BM", re.compile(r"billoflading|^bol$|^b?l?number$|frachtbrief")),
)


def weight(names: _Names, name: str) -> int:
    """How well a name fits, a little better when nothing else is in it; below 0: it is the name of something else."""
    fits = ((value, expression.fullmatch(name)) for expression, value in names if expression.search(name))
    value, whole = next(fits, (0, None))
    return value + (value > 0 and whole is not None)


# Folded words of the texts beside codes; the first that is found decides: what negates stands before what it negates.
_SAID: Final[tuple[tuple[Status | None, str, tuple[str, ...]], ...]] = (
    (
        None,
        "",
        (

            r"\b(?:will|to|can|may|wird|wordt|sera|sara|zal) (?:be )?(?:delivered|zugestellt|bezorgd|livre|consegnat)",
        ),
    ),
    (
        Status.IN_TRANSIT,
        "",
        (
            "delivered to (?:the )?(?:origin|destination|depot|facility|carrier|hub)", "proof of delivery pending",
        ),
    ),
    (
        Status.EXCEPTION,
        "address.undeliverable",
        (
            "undeliverable", "unzustellbar", "not deliverable", "dead mail",
        ),
    ),
    (
        Status.ATTEMPT_FAILURE,
        "",
        (

            ("(?:not|nicht|non|no|niet|nie|ikke|inte) (?:be )?"
            "(?:delivered|zugestellt|livre|entregado|bezorgd|consegnat|doreczon)"),
        ),
    ),
    (
        Status.ATTEMPT_FAILURE,
        "",
        (
            "delivery attempt", "attempted", "zustellversuch", "tentative", "unsuccessful", "not home", "no one",
            "nobody", "nicht angetroffen", "carded", "notice left", "absent", "ausente", "afwezig", "niet thuis",
            "intento", "assente", "delivery fail", "failed delivery", "nieudan",
        ),
    ),
    (
        Status.RETURN_TO_SENDER,
        "return.started",
        (
            "returned to (?:the )?(?:sender|shipper)", "return to (?:the )?(?:sender|shipper)", "retour", "rucksend",
            "ruecksend", "zuruck", "zurueck", "devuelt", "devoluc", "reso al", "terug", "zwrot", r"\breturn",
        ),
    ),
    (
        Status.OUT_FOR_DELIVERY,
        "",
        (
            "out for delivery", "on ?board for delivery", "delivery vehicle", "delivery courier", "in zustellung",
            "zustellfahrzeug", "zustelltour", "en cours de livraison", "mis en distribution", "en distribution",
            "en reparto", "in consegna", "onderweg naar", "wordt bezorgd", "w doreczeniu", "under utkorning",
            "til levering", "vehicle for delivery", "bound to round", "out for distribution",
        ),
    ),
    (
        Status.AVAILABLE_FOR_PICKUP,
        "pickup_point.ready",
        (
            "(?:available|ready|awaiting|stored|held) (?:for )?(?:pick.?up|collection)", "card for pickup",
            "abholbereit", "zur abholung", "point relais", "a retirer", "para recoger", "afhaalpunt", "parcel ?shop",
            "pick.?up point", "punkt odbioru", "servicepoint",
        ),
    ),
    (
        Status.EXCEPTION,
        "",
        (
            "partial(?:ly)? deliver", "teilweise zugestellt",
        ),
    ),
    (
        Status.DELIVERED,
        "",
        (
            r"\bdelivered\b", "delivery success", "successful(?:ly)? deliver", "zugestellt", "ausgeliefert",
            r"\blivre\b", r"livree?\b", r"\bdistribue", r"\bdistributed\b", "entregado", "bezorgd", "afgeleverd",
            "consegnat", "doreczon", "levererad", "leveret", r"\blevert\b", "toimitettu", "proof of delivery",
        ),
    ),
    (
        Status.LOST,
        "",
        (
            r"\blost\b", "verloren", r"\bperdue?\b", "perdid", "zoek geraakt", "smarrit",
        ),
    ),
    (
        Status.CANCELLED,
        "cancel.shipment",
        (
            "cancell?ed", "storniert", "annule", "anulad", "annullat", "geannuleerd", "anulowan",
        ),
    ),
    (
        Status.EXCEPTION,
        "damage.reported",
        (
            "damage", "beschadig", "beschaedig", "endommag", "danad", "danneggiat", "uszkodz",
        ),
    ),
    (
        Status.EXCEPTION,
        "refused.consignee",
        (
            "refus", "verweiger", "rechaz", "rifiutat", "geweigerd", "odmow",
        ),
    ),
    (
        Status.EXCEPTION,
        "customs.hold",
        (
            "(?:customs|zoll|douane|aduana|dogana).{0,30}(?:hold|held|delay|issue|retenu)",
        ),
    ),
    (
        Status.IN_TRANSIT,
        "customs.processing",
        (
            "(?:customs|zoll|douane|aduana|dogana|clearance)",
        ),
    ),
    (
        Status.EXCEPTION,
        "",
        (
            "exception", "delay", "verspat", "verspaet", "retard", "vertraag", "ritardo", "retraso", "on hold",
            "problem", "missort", "incorrect", "wrong address", "bad address", "incidencia", "anomalie", "storung",
            "opozn",
        ),
    ),
    (
        Status.PENDING,
        "info.label_created",
        (
            "label",
            "(?:shipping|shipment|shipper|parcel|order|electronic)(?: order)? (?:data|info|information|notification)",
            "data (?:was )?(?:received|entered)", "pre.?advice", "preadvice", "angekundigt", "angekuendigt",
            "elektronisch", "voorgemeld", "announced", "manifest", "declaratif", "electronic notification",
            "bientot", "zarejestrowan", "ready to be handed",
        ),
    ),
    (
        Status.PICKED_UP,
        "",
        (
            "picked up", "pick.?up", "collected", "abgeholt", "abholung", "pris en charge", "recogid", "opgehaald",
            "accept", r"\bposted\b", "eingeliefert", "ritirat", "ubernommen", "uebernommen", "handed over", "depose",
            "deposited", "in ontvangst", "received (?:by|from)", "odebran", "dropped off", "upphamtad",
        ),
    ),
    (
        Status.IN_TRANSIT,
        "",
        (
            "transit", "unterwegs", "arriv", "depart", "sort", r"\bhub\b", "depot", "process", "facility",
            r"\bleft\b", "eingang", "ausgang", "verlad", "verladen", "loaded", "acheminement", "en ?route",
            "en chemin", "en camino", "onderweg", "forward", "line ?haul", "scan", "ankunft", "abfahrt", "w drodze",
            "received at", "dispatch", "despatch", "traitement", "entrepot", "vertrokken", "aangekomen",
            "delivery cent", "w(?:are)?house", "umschlag", "in viaggio", "na vei", "underveis",
        ),
    ),
)  # fmt: skip
SAID: Final = tuple((re.compile("|".join(words)), status, reason) for status, reason, words in _SAID)
