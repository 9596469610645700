"""Which authority's certificates a Qdrant server may show, where it is a private one."""

import os
import ssl
from pathlib import Path

from pipeline.errors import SimileError

__all__ = ["VARIABLE", "private_authority", "server_variables", "trust", "trusted_certificates"]

VARIABLE = "QDRANT_CA"
_PEM = "-----BEGIN"
_ABOUT_SERVER = ("QDRANT_API_KEY", "QDRANT_GRPC_PORT", "SIMILE_STORE_PATIENCE")


def private_authority() -> str | None:
    """PEM text of `QDRANT_CA`: a file, or the text itself for machines where the file is not. None: not set.

    Raises:
        SimileError: the file cannot be read, or holds no certificate.
    """
    given = os.environ.get(VARIABLE)
    return _certificates(given) if given else None


def server_variables() -> dict[str, str]:
    """What a driver hands to its Ray workers: those of a running cluster do not inherit its environment.

    Returns:
        Variable -> value, of those that are set; the private authority as text, as other nodes lack its file.
    """
    about = {name: os.environ[name] for name in _ABOUT_SERVER if name in os.environ}
    authority = private_authority()
    return about | ({VARIABLE: authority} if authority else {})


def trust(file: str | None) -> None:
    """Trust the authority of this PEM file in this process and those that it starts; None changes nothing.

    Raises:
        SimileError: as `private_authority`.
    """
    if file:
        _certificates(file)
        os.environ[VARIABLE] = str(Path(file).expanduser().absolute())


def trusted_certificates() -> str | None:
    """PEM text of the private authority, else of `SSL_CERT_FILE`; None: the public authorities are trusted.

    httpx knows `SSL_CERT_FILE` by itself, and gRPC does not.
    """
    bundle = os.environ.get("SSL_CERT_FILE")
    return private_authority() or (_certificates(bundle) if bundle else None)


def _certificates(given: str) -> str:
    try:
        data = given.encode() if _PEM in given else Path(given).expanduser().read_bytes()
        text = data.decode("ascii", errors="ignore")  # comments of a bundle may hold any letters
        if _PEM not in text:
            raise ValueError("it holds none")
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as error:
        shown = f"The text in {VARIABLE}" if _PEM in given else f"'{given}'"
        raise SimileError(
            f"{shown} is no certificate of an authority: {error}; {VARIABLE} and --ca name a PEM file."
        ) from error
    return text
