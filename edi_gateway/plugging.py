"""A plugin's options in YAML → the plugin, every mistake at its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edi_gateway.errors import ConfigError
from edi_gateway.located import Loc, Located, did_you_mean, validate
from edi_gateway.plugins import Plugin, plugin_classes


def make_plugin(group: str, located: Located, loc: Loc, defaults: Mapping[str, Any], folder: Path) -> Plugin:
    """The plugin whose ``type`` and options stand at ``loc``; ``folder`` is where files it names are looked for.

    ``defaults`` are for options it knows. Raises ConfigError.
    """
    classes = plugin_classes(group)
    wanted = located.get((*loc, "type"))
    if not isinstance(wanted, str) or wanted not in classes:
        place = ".".join(map(str, loc))
        found = f"{place}: missing key 'type'" if wanted is None else f"{place}.type: found {wanted!r}"
        near = did_you_mean(str(wanted), classes)
        raise ConfigError(f"{located.at((*loc, 'type'))}: {found}, expected one of {', '.join(classes)}{near}")
    known = classes[wanted]
    own = {key: value for key, value in defaults.items() if key in known.model_fields}
    return validate(known, located, loc, without=("type",), defaults=own, context={"folder": folder})
