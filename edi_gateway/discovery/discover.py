"""A sample of an unknown carrier → a first mapping of it, every guess marked for review."""

from __future__ import annotations

from typing import Any

from edi_gateway.discovery.codes import Tables, tables
from edi_gateway.discovery.column import shown
from edi_gateway.discovery.documents import json_document, json_lines, without_head, xml_document
from edi_gateway.discovery.draft import Draft, put_codes, put_event, put_timezone, put_unused, scalar
from edi_gateway.discovery.fields import recognise
from edi_gateway.discovery.fixed import fixed_width
from edi_gateway.discovery.sample import Sample
from edi_gateway.discovery.segments import segments, syntax_of
from edi_gateway.discovery.tables import delimited, put_encoding
from edi_gateway.discovery.trees import Syntax, find_events
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.load import Library


def discover(sample: Sample, name: str, library: Library) -> Draft:
    """The mapping ``name`` for files like the sample; raises ConfigError when it is nothing a mapping can read."""
    draft = _discover(sample, library)
    head = Draft()
    head.put(
        f"# {name}: a first mapping, made from a sample. Every line marked 'review' was guessed: read it, put it right,"
    )
    head.put("# take the mark away. Try it with: edi-gateway translate FILE --mapping " + name)
    draft.lines[:0] = head.lines
    if sample.packed:
        draft.recognised.insert(0, "packed by gzip: unpack the file before you try the mapping on it")
    return draft


def _discover(sample: Sample, library: Library) -> Draft:
    known = tables(library)
    syntax = syntax_of(sample.content)
    if syntax:
        return segments(sample, syntax, library, known)
    draft = _tree(sample, known) or delimited(sample, known) or fixed_width(sample, known)
    if draft is None:
        raise ConfigError(
            f"{sample.name}: nothing was recognised: it is no EDIFACT, X12, JSON or XML, has no delimiter on which its"
            " lines agree, and no columns between blanks"
        )
    return draft


def _tree(sample: Sample, known: Tables) -> Draft | None:
    text = without_head(sample.text).strip("\ufeff \t\r\n\x00\x1a")
    if text.startswith("<"):
        found = xml_document(without_head(sample.text).strip("\ufeff \t\r\n\x00\x1a").encode(), whole=sample.whole)
        return _of_tree(sample, found[0], "xml", "xml", found[1], known) if found else None
    if not text.startswith(("{", "[")):
        return None
    document = json_document(text, whole=True) if sample.whole else None
    records = json_lines(text, whole=sample.whole) if document is None else None
    if records is not None and (len(records) > 1 or sample.whole):
        return _of_tree(sample, records, "json", "json_lines", (), known)
    document = json_document(text, whole=sample.whole) if document is None else document
    return _of_tree(sample, document, "json", "json", (), known)


def _of_tree(
    sample: Sample, document: Any, syntax: Syntax, kind: str, spaces: list[str] | tuple[str, ...], known: Tables
) -> Draft | None:
    found = find_events(document, syntax)
    if found is None:
        return None
    fields = recognise(found.columns)
    draft = Draft()
    draft.put(f"syntax: {syntax}")
    put_timezone(draft, fields.when)
    draft.put("format:")
    draft.put(f"  type: {kind}")
    if kind != "xml":
        put_encoding(draft, sample)
    if found.records:
        draft.put(f"  records: {scalar(found.records)}", "what holds the events")
    if spaces:
        draft.recognised.append(f"namespaces (names are matched without): {', '.join(spaces[:5])}")
    levels = ", ".join(map(scalar, found.for_each))
    draft.put("")
    draft.put(f"for_each: [{levels}]", f"{found.events} events in the sample")
    draft.put("")
    put_event(draft, fields, missing="NOT_FOUND")
    put_codes(draft, fields, known)
    put_unused(draft, found.columns, fields)
    for alike in found.alike:
        draft.put(f"# {shown(alike, 100)} says the same things:", "if these are events, too, add them to for_each")
        draft.decide.insert(
            0, f"whether {shown(alike, 100)} holds events, too: they look the same, and are not read now"
        )
    way = " / ".join(filter(None, (found.records, *found.for_each)))
    draft.recognised.insert(0, f"{kind}: {found.events} events at {way}")
    return draft
