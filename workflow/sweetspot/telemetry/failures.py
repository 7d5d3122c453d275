"""What went wrong on a connection, in words."""

import socket
import ssl

from sweetspot.errors import one_line

_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_OF_ANOTHER = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def why(error: Exception) -> str:
    """Return why a server cannot be talked to, in a line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        what = "call it by a name that it is for" if error.verify_code in _OF_ANOTHER else "see ca"
        return f"its certificate is not trusted ({error.verify_message}); {what}"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "what answers there does not speak TLS; see the scheme and the port of the URL"
    if isinstance(error, socket.gaierror):
        return "no such host (DNS)"
    if isinstance(error, EOFError):
        return "it ended the connection"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error)[:200] or type(error).__name__


def ended_at_once(tls: ssl.SSLContext | None) -> str:
    """Return what it may mean that a new connection is ended before any answer, in a line."""
    said = "it ended the connection before any answer"
    return said if tls else f"{said}; does it speak TLS? The URL is mqtts, iotdbs or https then"
