"""Who asks a broker or a store, and by which password: read where it is needed, shown nowhere."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import InputError, one_line
from sweetspot.reading import read_text


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, each "" where there is none."""

    user: str = ""
    password: str = field(default="", repr=False)

    def hidden(self, text: object) -> str:
        """Return what may be shown of a text that a server or a library made."""
        shown = one_line(text)
        return shown.replace(self.password, "(password)") if self.password else shown


def login_of(where: TelemetrySink, environment: Mapping[str, str] = os.environ) -> Login:
    """Return who asks there.

    Raises:
        InputError: the variable is not set, or the file cannot be read, or is empty, or a password
            holds what cannot be typed.
    """
    if where.password_file is not None:
        lines = read_text(where.password_file, "password file").splitlines()
        if not lines or not lines[0]:
            raise InputError(f"password file {where.password_file}: its first line is empty")
        return Login(where.user, _whole(lines[0], f"password file {where.password_file}"))
    if not where.password_env:
        return Login(where.user)
    password = environment.get(where.password_env)
    if not password:
        raise InputError(
            f"telemetry to {where.address.name}: the variable {where.password_env} (password_env)"
            " is not set; export it"
        )
    return Login(where.user, _whole(password, f"variable {where.password_env}"))


def _whole(password: str, where: str) -> str:
    """Return a password; a library that refuses one with a line's end in it would show it."""
    if not password.isprintable():
        raise InputError(f"{where}: the password holds what cannot be typed, such as a line's end")
    return password
