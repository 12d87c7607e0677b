"""Options of acknowledgements → how the pipeline answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from edi_gateway.config.acknowledging import AcknowledgeOptions
from edi_gateway.config.file_names import answer_name
from edi_gateway.formats.edifact.answers import EdifactAnswers
from edi_gateway.formats.x12.answers import X12Answers
from edi_gateway.pipeline import partners
from edi_gateway.plugins import Sink

OUTLET: Final = "acknowledgements"  # the last part of an outlet's name, behind carrier and channel
_LARGEST_EDIFACT: Final = 99_999_999_999_999  # UNB 0020
_LARGEST_X12: Final = 999_999_999  # ISA13
_LINE_BREAKS: Final = {"none": "", "lf": "\n", "crlf": "\r\n"}


def wired_acknowledge(
    options: AcknowledgeOptions, outlet: str, carrier: str, sink: Sink, retry: Sequence[timedelta]
) -> partners.Acknowledge:
    """How a carrier is answered, as the pipeline knows it."""
    breaks = _LINE_BREAKS[options.line_breaks]
    largest = _LARGEST_EDIFACT if options.edifact else _LARGEST_X12
    return partners.Acknowledge(
        kinds=options.send,
        when=options.when,
        writer=EdifactAnswers(options.layout, options.association, breaks) if options.edifact else X12Answers(breaks),
        outlet=partners.Outlet(
            name=outlet,
            partner=carrier,
            sink=sink,
            file_name=partial(answer_name, options.file_name),
            numbers=options.control_numbers.wired("", largest),
            retry=retry,
            within=options.within,
        ),
    )
