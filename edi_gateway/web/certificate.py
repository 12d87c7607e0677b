"""The HTTP server's own certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from edi_gateway.config.http import Tls
from edi_gateway.errors import ConfigError


def tls_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """What connections are encrypted with; raises ConfigError when certificate and key cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, tls, folder)
    return context


def load_certificate(context: ssl.SSLContext, tls: Tls, folder: Path) -> None:
    """Show this certificate from now on; raises ConfigError when it cannot be used."""
    try:
        context.load_cert_chain(folder / tls.certificate, folder / tls.key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        at = f"{folder / 'gateway.yaml'}: http.tls: cannot use {tls.certificate} with {tls.key}"
        raise ConfigError(f"{at}: {error.strerror or error}") from error
