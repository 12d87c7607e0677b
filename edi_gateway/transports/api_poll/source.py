"""A carrier's API as a source, described in YAML alone: it is asked for the numbers whose checks are due."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from edi_gateway.errors import TransientError
from edi_gateway.model import utc_now
from edi_gateway.plugins import Arrival, AskingMemory, Plugin, Step
from edi_gateway.quantities import Size
from edi_gateway.restraint import Breaker, Bucket, Circuit
from edi_gateway.tracking.checks import Check, Ended
from edi_gateway.tracking.planning import Reply
from edi_gateway.tracking.schedule import BUILT_IN, ScheduleOption
from edi_gateway.transports.api_poll.asking import Asked, asked
from edi_gateway.transports.api_poll.client import Client, Limits
from edi_gateway.transports.api_poll.exchange import Answer, UnansweredError, origin
from edi_gateway.transports.api_poll.judging import judge, next_page
from edi_gateway.transports.api_poll.options import Errors, Paging, Rate, Request
from edi_gateway.transports.api_poll.round import Answered, Round, WaitError, answered
from edi_gateway.transports.http_client.auth import Auth, OAuth2
from edi_gateway.transports.http_client.fields import Authorities, Seconds

_SECOND: Final = timedelta(seconds=1)
_UNTOLD: Final = timedelta(seconds=60)  # how long to wait when told to slow down without being told for how long
_MARGIN: Final = timedelta(seconds=60)  # of a claim, for what comes before and after the question


class ApiPollSource(Plugin):
    """Answers of an API, each kept as it came. Which numbers are asked for, and when, is the schedule's business."""

    # An error about any key would show the whole of the input otherwise, secrets included.
    model_config = ConfigDict(hide_input_in_errors=True)

    request: Request = Field(description="what the carrier is asked")
    auth: Auth | None = Field(None, description="what proves who asks: a type and its options; nothing when left out")
    schedule: ScheduleOption = Field(
        BUILT_IN["frequent"],
        description="when a number is asked for: frequent, age_based, safety_net, quiet_backoff, or phases of its own",
    )
    batch: int = Field(1, ge=1, le=1000, description="numbers in one request, as many as the carrier allows")
    in_flight: int = Field(4, ge=1, le=256, description="requests the carrier has to answer at a time")
    rate: Rate | None = Field(None, description="how many requests the carrier allows; as many as it can answer if not")
    paging: Paging | None = Field(None, description="how an answer leads to its next page; it has none when left out")
    conditional: bool = Field(
        default=True, strict=True, description="ask only for what has changed (ETag); with one number a request"
    )
    errors: Errors = Field(Errors(), description="what refusals mean")
    circuit: Circuit = Field(Circuit(), description="when an API that fails is left alone for a while")
    connect_timeout: Seconds = Field(10 * _SECOND, description="time for connecting")
    read_timeout: Seconds = Field(30 * _SECOND, description="longest silence while an answer is awaited")
    total_timeout: Seconds = Field(60 * _SECOND, description="time for one request and its whole answer")
    max_size: Size = Field(10_000_000, ge=1, description="a larger answer is a failure")
    ca: Authorities | None = Field(
        None, description="file with the certificates that vouch for the API's, in place of those the system trusts"
    )
    allow_http: bool = Field(
        default=False, strict=True, description="true: ask without encryption; secrets can be read on the way"
    )

    _client: Client = PrivateAttr()
    _bucket: Bucket = PrivateAttr()
    _breaker: Breaker = PrivateAttr()

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        urls = [self.request.url, *([self.auth.token_url] if isinstance(self.auth, OAuth2) else [])]
        if not self.allow_http and any(urlsplit(url).scheme != "https" for url in urls):
            raise ValueError("a URL begins with http, expected https, or allow_http: true where that is meant")
        if self.batch > 1 and "number" in self.request.places:
            raise ValueError("{number} asks for one number, expected {numbers} with a batch of more than one")
        return self

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until the first question."""
        limits = Limits(self.connect_timeout, self.read_timeout, self.total_timeout, self.max_size, self.in_flight)
        self._client = Client(self.auth, limits, self.ca)
        rate = self.rate
        self._bucket = Bucket(rate.requests, rate.requests / rate.per.total_seconds()) if rate else Bucket(None)
        self._breaker = Breaker(self._name)

    @property
    def _name(self) -> str:
        return urlsplit(self.request.url).netloc

    async def poll(self, memory: AskingMemory) -> AsyncIterator[Sequence[Arrival]]:
        """Ask for the numbers whose checks are due, and yield what the carrier answers.

        A question that fails does not keep others from being asked. Raises TransientError: at once while the carrier
        is left alone, at the end when it answered nothing or lets us in no more.
        """
        pages = self.paging.at_most if self.paging else 1
        spacing = self.rate.per / self.rate.requests if self.rate else timedelta(0)
        lease = (self.total_timeout * 3 + spacing) * pages + _MARGIN  # a token may be asked for, and asked for again
        with self._breaker.admitted() as probing:
            asking = Round(
                memory.checks,
                self._ask,
                self._bucket,
                self._breaker,
                self.circuit,
                self.in_flight,
                self.batch,
                lease,
                probing=probing,
            )
            async with aclosing(asking.arrivals()) as arriving:
                async for arrivals in arriving:
                    yield arrivals

    async def check(self) -> AsyncIterator[Step]:
        """DNS, TCP and TLS, and a token where one is needed; the carrier is asked for no number."""
        step = "TLS" if self._tls else "TCP"
        try:
            async with asyncio.timeout(self.connect_timeout.total_seconds()):
                yield Step(step, True, f"{self._name} at {await self._reach()}")
        except OSError as error:  # also of name service, TLS and time
            yield Step(step, False, f"{self._name}: {str(error) or type(error).__name__}")
            return
        if isinstance(self.auth, OAuth2):
            try:
                yield Step("token", True, await self._client.prove())
            except TransientError as error:
                yield Step("token", False, str(error))

    @property
    def _tls(self) -> bool:
        return urlsplit(self.request.url).scheme == "https"

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    async def _reach(self) -> str:
        parts = urlsplit(self.request.url)
        port, context = parts.port or (443 if self._tls else 80), self._context() if self._tls else None
        _, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        address = str(writer.get_extra_info("peername")[0])
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return address

    async def close(self) -> None:
        """End every connection."""
        await self._client.close()

    async def _ask(self, checks: Sequence[Check]) -> Answered:
        """One question with all pages of its answer."""
        numbers = [check.tracking_number for check in checks]
        question = asked(self.request, numbers)
        first = await self._answer(self._conditional(question, checks))
        if first.status == 304 and len(checks) == 1:
            [check] = checks
            same = Ended(check, Reply.ANSWERED, digest=check.digest, etag=check.etag, modified=check.modified)
            return Answered((), [same])
        replies = dict(judge(first, self.errors, numbers))
        pages = [first.content] if first.good else []
        if first.good and self.paging:
            pages += await self._further(self.paging, question, first, numbers)
        marked = self.batch == 1 and not self.paging
        etag, modified = (first.headers.get(name, "") if marked else "" for name in ("etag", "last-modified"))
        return answered(checks, replies, pages, etag, modified)

    async def _further(self, paging: Paging, question: Asked, answer: Answer, numbers: Sequence[str]) -> list[bytes]:
        pages: list[bytes] = []
        while following := next_page(answer, paging):
            if len(pages) + 1 >= paging.at_most:
                raise UnansweredError(f"{self._name}: more than {paging.at_most} pages (paging.at_most)")
            await self._bucket.token()
            answer = await self._answer(self._page(paging, question, following))
            judge(answer, self.errors, numbers)
            pages.append(answer.content)
        return pages

    def _page(self, paging: Paging, question: Asked, following: str) -> Asked:
        if paging.cursor:
            query = {**question.query, paging.parameter: following}
            return Asked(question.method, question.url, query, question.headers, question.content)
        here = httpx.URL(question.url)
        url = here.join(following)
        if origin(url) != origin(here):
            raise UnansweredError(f"{self._name}: the next page is at {url.host}, expected the same host")
        return Asked(question.method, str(url), {}, question.headers, question.content)

    async def _answer(self, question: Asked) -> Answer:
        """Raises WaitError when the carrier says that it is asked too much."""
        answer = await self._client.ask(question)
        until = answer.retry_after()
        if answer.status == 429 or (answer.status == 503 and until):
            until = until or utc_now() + _UNTOLD
            seconds = (until - utc_now()).total_seconds()
            raise WaitError(f"{self._name} answers {answer.status}: asked too much", until, seconds)
        return answer

    def _conditional(self, question: Asked, checks: Sequence[Check]) -> Asked:
        if not self.conditional or self.batch > 1 or self.paging:
            return question
        marks = {"If-None-Match": checks[0].etag, "If-Modified-Since": checks[0].modified}
        headers = {**question.headers, **{name: mark for name, mark in marks.items() if mark}}
        return Asked(question.method, question.url, question.query, headers, question.content)
