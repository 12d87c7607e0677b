"""What one GraphQL request may cost, counted before anything of it is checked or done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

LARGEST_PAGE: Final = 100
DEFAULT_PAGE: Final = 50
_TOKENS: Final = 1_000
_DEPTH: Final = 8
_INTROSPECTION_DEPTH: Final = 16
_ALIASES: Final = 15
_COST: Final = 5_000  # fields of the answer, counted as if every page were full
_CREATE: Final = 250  # as many fields as making a tracker is worth
_CHEAP: Final = 5  # as many fields of the schema cost as much as one that has to be looked up
_MANY: Final = {  # how many there are of what comes in lists, about
    "checkpoints": 10,
    "types": 20,
    "fields": 4,
    "args": 2,
    "inputFields": 3,
    "enumValues": 5,
    "possibleTypes": 4,
    "interfaces": 4,
    "directives": 5,
}


class TooMuchError(GraphQLError):
    """A request is beyond a bound."""


class _Weight(NamedTuple):
    depth: int = 0
    aliases: int = 0
    cost: int = 0


def read(query: str) -> DocumentNode:
    """The request parsed. Raises GraphQLError."""
    try:
        return parse(query, no_location=False, max_tokens=_TOKENS)
    except GraphQLSyntaxError as error:
        if "tokens" in error.message:
            raise TooMuchError(f"the request has more than {_TOKENS:,} tokens") from None
        raise
    except RecursionError:
        raise TooMuchError("the request is nested too deeply") from None


def bound(document: DocumentNode, variables: Mapping[str, Any]) -> None:
    """Raises TooMuchError for what is too deep, has too many aliases, or asks for too much at once."""
    weigher = _Weigher(document, variables)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    for operation in operations:
        weight = weigher.weigh(operation.selection_set, introspecting=False)
        if weight.aliases > _ALIASES:
            raise TooMuchError(f"the request has {weight.aliases:,} aliases, at most {_ALIASES} are taken")
        if weight.depth > _DEPTH:
            raise TooMuchError(f"the request is nested {weight.depth} deep, at most {_DEPTH} are taken")
        if weight.cost > _COST:
            raise TooMuchError(f"the request costs {weight.cost:,}, at most {_COST:,} are taken: ask for less at once")


class _Weigher:
    """Weighs selections. A fragment is weighed once, however often it is spread."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str, bool], _Weight | None] = {}

    def weigh(self, selections: SelectionSetNode | None, *, introspecting: bool) -> _Weight:
        depth, aliases, cost = 0, 0, 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                each = self._field(node, introspecting=introspecting)
            elif isinstance(node, InlineFragmentNode):
                each = self.weigh(node.selection_set, introspecting=introspecting)
            elif isinstance(node, FragmentSpreadNode):
                each = self._fragment(node.name.value, introspecting=introspecting)
            else:
                continue
            depth, aliases, cost = max(depth, each.depth), aliases + each.aliases, cost + each.cost
        return _Weight(depth, aliases, cost)

    def _field(self, node: FieldNode, *, introspecting: bool) -> _Weight:
        name = node.name.value
        introspecting = introspecting or name.startswith("__")
        inner = self.weigh(node.selection_set, introspecting=introspecting)
        depth = inner.depth + 1
        if name.startswith("__"):  # its depth is the schema's own: bounded apart, so that every tool may look
            depth = 1 if depth <= _INTROSPECTION_DEPTH else depth
            inner = inner._replace(cost=inner.cost // _CHEAP)
        times = self._page(node) if name == "trackers" else _MANY.get(name, 1)
        cost = times * inner.cost + (_CREATE if name == "trackerCreate" else 1)
        return _Weight(depth, inner.aliases + (node.alias is not None), cost)

    def _fragment(self, name: str, *, introspecting: bool) -> _Weight:
        key = name, introspecting
        if key not in self._known:
            self._known[key] = None  # being weighed
            fragment = self._fragments.get(name)
            self._known[key] = self.weigh(fragment.selection_set if fragment else None, introspecting=introspecting)
        weight = self._known[key]
        return weight or _Weight()  # of itself: such a request is refused when it is checked

    def _page(self, node: FieldNode) -> int:
        first: Any = DEFAULT_PAGE
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    first = int(value.value) if len(value.value) < 10 else LARGEST_PAGE
                elif isinstance(value, VariableNode):
                    first = self._variables.get(value.name.value, LARGEST_PAGE)
        return min(max(first, 1), LARGEST_PAGE) if isinstance(first, int) else LARGEST_PAGE
