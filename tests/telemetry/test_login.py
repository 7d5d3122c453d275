"""Passwords come from a variable or a file, and are shown nowhere."""

import pytest

from sweetspot.config import TelemetrySink
from sweetspot.errors import InputError
from sweetspot.telemetry.login import Login, login_of

URL = "mqtt://broker"


def test_password_is_that_of_a_variable_or_the_first_line_of_a_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("s3cr3t \nanother\n")
    by_file = TelemetrySink(url=URL, user="me", password_file=path)
    by_variable = TelemetrySink(url=URL, user="me", password_env="PW")
    assert login_of(by_file, {}) == login_of(by_variable, {"PW": "s3cr3t "})
    assert login_of(by_file, {}).password == "s3cr3t "
    assert login_of(TelemetrySink(url=URL), {}) == Login()


def test_password_that_is_not_there_is_one_line(tmp_path):
    where = TelemetrySink(url=URL, user="me", password_env="PW")
    for environment in ({}, {"PW": ""}):
        with pytest.raises(InputError, match=r"the variable PW \(password_env\) is not set"):
            login_of(where, environment)
    path = tmp_path / "password"
    where = TelemetrySink(url=URL, user="me", password_file=path)
    with pytest.raises(InputError, match="No such file"):
        login_of(where, {})
    path.write_text("\ns3cr3t\n")
    with pytest.raises(InputError, match="its first line is empty") as refused:
        login_of(where, {})
    assert "s3cr3t" not in str(refused.value)


def test_password_with_a_line_s_end_is_refused_without_being_shown():
    where = TelemetrySink(url=URL, user="me", password_env="PW")
    with pytest.raises(InputError, match="variable PW: the password holds what") as refused:
        login_of(where, {"PW": "s3cr3t\r"})
    assert "s3cr3t" not in str(refused.value)


def test_nothing_that_is_shown_holds_the_password():
    login = Login("me", "s3cr3t")
    assert "s3cr3t" not in repr(login)
    assert login.hidden("bad: me/s3cr3t\nat once") == "bad: me/(password) at once"
