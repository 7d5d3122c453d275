"""The tests' own browser sees what it is there for."""

import pytest

pytestmark = pytest.mark.slow(reason="Chromium")


def test_faults_of_a_page_are_found(tmp_path, open_page, serious_faults):
    (tmp_path / "poor.html").write_text(
        "<!doctype html><html lang='en'><title>Poor</title><img src='data:,'><h1>Poor</h1>"
    )
    assert any(
        fault.startswith("image-alt") for fault in serious_faults(open_page(tmp_path / "poor.html"))
    )
