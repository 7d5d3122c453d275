"""Take a picture of a page, as a browser shows it: picture.py PAGE.html#VIEW PICTURE.png."""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright


def main(page: str, picture: str) -> None:
    """Write what the first screen of a page shows once it is drawn."""
    path, _, view = page.partition("#")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        shown = browser.new_page(viewport={"width": 1280, "height": 860})
        shown.goto(f"{Path(path).resolve().as_uri()}#{view}")
        shown.wait_for_selector(".main-svg")
        shown.screenshot(path=picture)
        browser.close()
    # a page has few colours: a third of the bytes, and none that the eye would tell from its own
    few = Image.open(picture).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
    few.save(picture, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
