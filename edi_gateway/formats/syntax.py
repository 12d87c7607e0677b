"""What the syntaxes of segments share below the envelope: delimiters, segments, elements.

Text is cut while it is still Latin-1, where an index is a byte offset; only what somebody reads is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, repeat
from operator import add, itemgetter
from typing import Any, Final

from edi_gateway.model import Segment

BLANKS: Final = " \t\r\n"
_BREAKS: Final = str.maketrans("", "", "\r\n")
_REMEMBERED: Final = 10_000  # of what is worth remembering between messages
_HEAD: Final = itemgetter(slice(4))  # enough of a segment to tell its tag
_LATIN: Final = frozenset({"ascii", "iso8859-1"})  # codecs that leave Latin-1 as it is


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The service characters of one interchange; "" where there is none. A terminator may be several characters."""

    component: str = ":"
    element: str = "+"
    release: str = "?"
    repetition: str = ""
    terminator: str = "'"

    @property
    def by_line(self) -> bool:
        """Whether a line break ends a segment."""
        return self.terminator in "\r\n"

    @property
    def sound(self) -> bool:
        """Whether they can be told apart from each other and from data."""
        used = [self.component, self.element, self.terminator, *self.release]
        text = "".join(used)
        return len(set(used)) == len(used) and text.isascii() and not any(c.isalnum() or c == " " for c in text)


class Tags(dict[str, str]):
    """The first four characters of a segment → its tag; "" where they are no sound tag. Grows as segments are met."""

    def __init__(self, sound: re.Pattern[str]) -> None:
        self._sound = sound

    def __missing__(self, head: str) -> str:
        sound = self._sound.match(head)
        tag = sound[1] if sound else ""
        if len(self) < _REMEMBERED:
            self[head] = tag
        return tag


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """What follows from a set of delimiters, compiled once; each is equal to itself alone."""

    delimiters: Delimiters
    segment: re.Pattern[str]  # one segment with its terminator; group 1 is its text
    component: re.Pattern[str]  # group 1: one component, group 2: the separator after it
    released: re.Pattern[str]
    service: re.Pattern[bytes]  # a terminator and a service tag, in groups as its format says
    service_segment: re.Pattern[bytes]  # as ``segment``, on bytes
    tags: Tags
    head: slice  # what follows a tag: room for a separator, a qualifier, a separator


def compile_grammar(delimiters: Delimiters, *, tag: str, service: str, head: slice) -> Grammar:
    """Compile the patterns. They are possessive throughout: no input makes them backtrack.

    ``tag`` is a sound tag; ``service`` follows a terminator and blanks, with ``(WRAP)`` where a hard wrap may fall.
    """
    release, terminator = re.escape(delimiters.release), re.escape(delimiters.terminator)
    separators = re.escape(delimiters.component + delimiters.element + delimiters.repetition)
    wrap = "" if delimiters.by_line else r"[\r\n]*+"  # a hard wrap may fall between any two characters
    blanks = "[" + "".join(c for c in BLANKS if c != delimiters.terminator) + "]*+"
    plain = f"[^{release}{terminator}]*+" if len(delimiters.terminator) == 1 else f"(?:(?!{terminator}).)*+"
    text = f"{plain}(?:{release}{wrap}.{plain})*+" if release else plain
    segment = f"(?s){blanks}({text}){terminator}"
    return Grammar(
        delimiters=delimiters,
        segment=re.compile(segment),
        component=re.compile(rf"(?s)((?:[^{release}{separators}]|{release}.?)*+)([{separators}]|\Z)"),
        released=re.compile(f"(?s){release}(.?)"),
        service=re.compile(f"(?s){terminator}{blanks}{service.replace('(WRAP)', wrap)}".encode("latin-1")),
        service_segment=re.compile(segment.encode("latin-1")),
        tags=Tags(re.compile(rf"({tag})(?:[{separators}]|\Z)")),
        head=head,
    )


class Shape:
    """The segments of a run of text, cut but not yet read.

    ``wrapped``: a line break stands inside a segment. ``odd``: index of the first that has no sound tag, or -1.
    """

    __slots__ = ("_gap", "_starts", "odd", "tags", "texts", "wrapped")

    def __init__(
        self,
        texts: Sequence[str],
        tags: list[str],
        starts: Sequence[int] = (),
        *,
        gap: int = 0,
        wrapped: bool = False,
        odd: int = -1,
    ) -> None:
        self.texts = texts
        self.tags = tags
        self.wrapped = wrapped
        self.odd = odd
        self._starts = starts
        self._gap = gap  # characters between two segments, where ``starts`` follow from that

    @property
    def starts(self) -> Sequence[int]:
        """Index of each segment's first character."""
        if not self._starts:
            self._starts = starts_of(self.texts, self._gap)
        return self._starts


def shape_of(text: str, grammar: Grammar) -> Shape:
    """Cut ``text``, which begins with a tag and ends with a terminator. Empty segments are nothing."""
    texts, gap = cut_plain(text, grammar.delimiters)
    tags = tags_of(texts, grammar)
    if not tags or "" in tags:
        return _cut_carefully(text, grammar)
    return Shape(texts, tags, gap=gap)


def tags_of(texts: Sequence[str], grammar: Grammar) -> list[str]:
    """The tag of each segment; "" where it is no sound one."""
    return [*map(grammar.tags.__getitem__, map(_HEAD, texts))]


def starts_of(texts: Sequence[str], gap: int) -> list[int]:
    """The index of each segment's first character, ``gap`` characters behind the one before; and of what follows."""
    return list(accumulate(map(add, map(len, texts), repeat(gap)), initial=0))


def cut_plain(text: str, marks: Delimiters) -> tuple[list[str], int]:
    """The segments of text that breaks lines after every terminator or nowhere, and the characters between two.

    An empty list when it is not as plain as that.
    """
    texts = text.split(marks.terminator)
    texts.pop()
    if marks.release and marks.release + marks.terminator in text:
        texts = _glued(texts, marks)
    if "\n" not in text and "\r" not in text:
        return texts, len(marks.terminator)
    line_break = "\r\n" if "\r" in text else "\n"
    count, width = len(texts) - 1, len(line_break)
    if marks.by_line or any(text.count(c) != count for c in line_break):
        return [], 0
    if not all(segment.startswith(line_break) for segment in texts[1:]):
        return [], 0
    return [texts[0], *(segment[width:] for segment in texts[1:])], len(marks.terminator) + width


def _glued(pieces: list[str], marks: Delimiters) -> list[str]:
    """Join what was cut at released terminators."""
    doubtful = [index for index, piece in enumerate(pieces) if piece.endswith(marks.release)]
    if not doubtful:
        return pieces
    texts: list[str] = []
    begin = 0
    for index in doubtful:
        if index < begin or not _ends_released(pieces[index], marks.release):
            continue
        end = index + 1
        while end < len(pieces) and _ends_released(pieces[end], marks.release):
            end += 1
        texts += pieces[begin:index]
        texts.append(marks.terminator.join(pieces[index : end + 1]))
        begin = end + 1
    return texts + pieces[begin:]


def _ends_released(text: str, release: str) -> bool:
    return (len(text) - len(text.rstrip(release))) % 2 == 1


def _cut_carefully(text: str, grammar: Grammar) -> Shape:
    """Cut any text, noting broken lines and the first tag that is none."""
    texts: list[str] = []
    starts: list[int] = []
    tags: list[str] = []
    wrapped, odd = False, -1
    for match in grammar.segment.finditer(text):
        segment = match[1].rstrip("\r\n") if grammar.delimiters.by_line else match[1]
        if not segment:
            continue
        joined = segment.translate(_BREAKS)
        wrapped = wrapped or joined != segment
        tag = grammar.tags[joined[:4]]
        if odd < 0 and not tag:
            odd = len(tags)
        texts.append(segment)
        starts.append(match.start(1))
        tags.append(tag or joined[:3])
    return Shape(texts, tags, starts, wrapped=wrapped, odd=odd)


@dataclass(slots=True, eq=False)
class Reading:
    """How the segments of a message are to be read. ``wrapped``: line breaks inside them are to be deleted."""

    grammar: Grammar
    codec: str
    wrapped: bool
    component: str = field(init=False)
    element: str = field(init=False)
    release: str = field(init=False)
    repetition: str = field(init=False)
    as_cut: bool = field(init=False)  # the text needs nothing to be done to it
    qualifiers: dict[str, str] = field(default_factory=dict, init=False)  # by how a segment goes on after its tag

    def __post_init__(self) -> None:
        marks = self.grammar.delimiters
        self.component, self.element = marks.component, marks.element
        self.release, self.repetition = marks.release, marks.repetition
        self.as_cut = self.codec in _LATIN and not self.wrapped

    def cut(self, latin: str) -> list[str | list[str]]:
        """Elements of a segment given as Latin-1, the tag first; those that need no care are not yet in components."""
        text = latin if self.as_cut else self.text(latin)
        if self.release and self.release in text:
            return [*_split_released(text, self.grammar)]
        elements: list[Any] = text.split(self.element)
        if self.repetition and self.repetition in text:
            return [element.partition(self.repetition)[0] for element in elements]
        return elements

    def remember_qualifier(self, head: str, qualifier: str) -> None:
        """Remember a first element by the characters it begins with, where these are all that decide it."""
        said = head.partition(self.element)[2]
        ended = said == qualifier and len(head) < self.grammar.head.stop - self.grammar.head.start
        decided = ended or said.startswith((qualifier + self.element, qualifier + self.component))
        if qualifier and decided and len(self.qualifiers) < _REMEMBERED:
            self.qualifiers[head] = qualifier

    def text(self, latin: str) -> str:
        """Decoded text of what was cut as Latin-1."""
        text = latin
        if self.codec not in _LATIN:
            # The message as a whole decodes; a shift sequence left open at a delimiter is shown, not guessed.
            text = text.encode("latin-1").decode(self.codec, "backslashreplace")
        return text.translate(_BREAKS) if self.wrapped else text


@lru_cache(maxsize=64)
def reading_of(grammar: Grammar, codec: str, *, wrapped: bool) -> Reading:
    """The one reading of these: what two messages say can be compared by text where their readings are the same."""
    return Reading(grammar, codec, wrapped)


def _split_released(text: str, grammar: Grammar) -> list[list[str]]:
    """Cut a segment that holds release characters, keeping the first repetition of each element."""
    components: list[str] = []
    fields: list[list[str]] = [components]
    skipping = False
    for piece, separator in grammar.component.findall(text):
        if not skipping:
            components.append(grammar.released.sub(r"\1", piece))
        if not separator:
            break
        if separator == grammar.delimiters.element:
            components, skipping = [], False
            fields.append(components)
        elif separator == grammar.delimiters.repetition:
            skipping = True
    return fields


class CutSegment(Segment):
    """A segment that is decoded, split and released when somebody asks.

    Element 1 is the first after the tag. Of a repeated element (syntax 4) the first repetition is given.
    ``end`` is the offset of its terminator.
    """

    __slots__ = ("_fields", "_latin", "_reading")

    def __init__(self, tag: str, number: int, start: int, latin: str, reading: Reading) -> None:
        super().__init__(tag, number, start, start + len(latin))
        self._latin = latin
        self._reading = reading
        self._fields: list[str | list[str]] | None = None

    @property
    def text_as_cut(self) -> str:
        """The segment's text in Latin-1, as it stands in the document."""
        return self._latin

    @property
    def key(self) -> Hashable:
        """See Segment.key: the same text, read in the same way."""
        return self._latin, self._reading

    def get(self, element: int, component: int = 1) -> str:
        """The text at that place, counted from 1 (the tag is 0), released and decoded; "" when absent."""
        fields = self._fields
        if fields is None:
            fields = self._fields = self._reading.cut(self._latin)
        if element < len(fields):
            components = fields[element]
            if type(components) is str:
                components = fields[element] = components.split(self._reading.component)
            if component <= len(components):
                return components[component - 1]
        return ""

    def components(self, element: int) -> list[str]:
        """All components of that element; none when the segment ends before it."""
        self.get(element)  # cuts it
        fields = self._fields or ()
        return [*fields[element]] if element < len(fields) else []

    @property
    def elements(self) -> list[list[str]]:
        """All elements after the tag, each as its components."""
        self.get(0)
        return [self.components(element) for element in range(1, len(self._fields or ()))]
