"""JSON Schema of the configuration files and of mappings, for editors that check and complete while one writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from edi_gateway.config.models import CarrierFile, CustomerFile, Gateway
from edi_gateway.mapping.schema import MappingFile
from edi_gateway.plugins import Plugin, plugin_classes
from edi_gateway.transforms.options import Decrypt, Encrypt
from edi_gateway.transports.api_poll.registration import Registration

_FILES: Final[Mapping[str, type[BaseModel]]] = {
    "gateway": Gateway,
    "carrier": CarrierFile,
    "customer": CustomerFile,
    "mapping": MappingFile,
}
_PLUGINS: Final = {  # definition and property → group of plugins whose options stand there
    ("ChannelOptions", "source"): "sources",
    ("ChannelOptions", "format"): "formats",
    ("AcknowledgeOptions", "sink"): "sinks",
    ("CustomerChannelOptions", "source"): "sources",
    ("CustomerChannelOptions", "format"): "formats",
    ("MappingFile", "format"): "formats",
    ("DestinationOptions", "sink"): "sinks",
    ("DestinationOptions", "format"): "encoders",
}
_SECTIONS: Final[Mapping[tuple[str, str], type[BaseModel]]] = {  # read apart from the file, as plugins are
    ("ChannelOptions", "decrypt"): Decrypt,
    ("ChannelOptions", "registration"): Registration,
    ("DestinationOptions", "encrypt"): Encrypt,
}


def json_schema(file: str) -> dict[str, Any]:
    """Schema of ``gateway``, ``carrier``, ``customer`` or ``mapping`` files, with every installed plugin's options."""
    schema = _FILES[file].model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for (owner, key), group in _PLUGINS.items():
        described = schema if owner == schema["title"] else definitions.get(owner)
        if described is not None:
            options = [_plugin(name, kind, definitions) for name, kind in _classes(group).items()]
            said = {"description": described["properties"][key]["description"]}
            described["properties"][key] = said | {"anyOf": options}
    for (owner, key), model in _SECTIONS.items():
        if owner in definitions:
            said = {"description": definitions[owner]["properties"][key]["description"]}
            definitions[owner]["properties"][key] = said | {"anyOf": [model.model_json_schema(), {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _classes(group: str) -> Mapping[str, type[Plugin]]:
    classes = plugin_classes(group)
    return {name: classes[name] for name in classes}


def _plugin(name: str, kind: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of one plugin's options with its ``type``; what it defines itself goes into ``definitions``."""
    schema = kind.model_json_schema()
    definitions |= schema.pop("$defs", {})
    schema["properties"] = {"type": {"const": name}} | schema.get("properties", {})
    schema["required"] = ["type", *schema.get("required", [])]
    return schema
