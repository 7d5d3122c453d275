"""Secrets in an environment or a command, told by their variables' names or as part of a URL."""

import re
from collections.abc import Mapping

_NAME = re.compile(
    r"apikey|passphrase|passw(or)?d|secret|_pwd(_|$)|(^|_)(credentials?|jwt|key|pass|pat|tokens?)(_|$)",
    re.IGNORECASE,
)
_COUNT = re.compile(r"tokens(_|$)", re.IGNORECASE)  # a number of them, as engines have limits
_IN_URL = re.compile(r"://[^/\s@]+@(?!sha256:)")  # user, token or both, before the host
_ASSIGNED = re.compile(r"(\w+)=(\S+)")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its secrets, such as HF_TOKEN, or a proxy with a password."""
    return {
        name: value
        for name, value in environment.items()
        if not _is_secret(name, value) and not _IN_URL.search(value)
    }


def secret_in(text: str) -> str:
    """Return what kind of secret stands in a command or an address; "" if none does."""
    if _IN_URL.search(text):
        return "a password in a URL"
    return next(
        (
            f"a value of {name}"
            for name, value in _ASSIGNED.findall(text)
            if _is_secret(name, value)
        ),
        "",
    )


def _is_secret(name: str, value: str) -> bool:
    return bool(_NAME.search(name)) and not (value.isdecimal() and _COUNT.search(name))
