"""What went wrong on a connection, in words."""

import socket
import ssl

from sweetspot.errors import one_line


def why(error: Exception) -> str:
    """Return why a server cannot be talked to, in a line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); see ca"
    if isinstance(error, socket.gaierror):
        return "no such host (DNS)"
    if isinstance(error, EOFError):
        return "it ended the connection"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error)[:200] or type(error).__name__
