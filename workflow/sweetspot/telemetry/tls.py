"""What a server by TLS is checked against."""

import ssl
from pathlib import Path

from sweetspot.errors import InputError


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Return it: the certificates of a file, or the system's.

    Raises:
        InputError: the file is none of certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:  # ssl's errors are OSErrors
        why = getattr(error, "strerror", None) or error
        raise InputError(f"ca {ca} is no file of certificates (PEM): {why}") from error
