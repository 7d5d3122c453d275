"""A real browser for the pages that people get: Chromium, without a network."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).parents[2] / "build" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 240_000
QUIET = (
    "--no-sandbox",  # root cannot have it
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def lacking(what: str) -> None:
    """Skip the test, or fail where all must be there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what}: run scripts/browser.sh")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once a worker."""
    chromium = shutil.which("chromium")
    if chromium is None:
        lacking("no chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=[*QUIET], timeout=PATIENCE_MS
        )
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens a file from disk as `open_page(path, "#view", width=390)` does.

    Further keywords are those of `Browser.new_context`, such as `color_scheme="dark"`. Whatever the
    page says on the console as an error, or asks of a network, fails the test when it ends.
    """
    contexts, wrong = [], []

    def open_it(
        path: Path, fragment: str = "", *, width: int = 1280, height: int = 900, **options: object
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                else wrong.append(f"asks for {request.url}")
            ),
        )
        page.goto(path.resolve().as_uri() + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture(scope="session")
def serious_faults() -> Callable[[Page], list[str]]:
    """A function that returns what axe-core finds serious or critical on a page, by its rules."""
    if not AXE.exists():
        lacking("no axe-core")

    def found(page: Page) -> list[str]:
        page.add_script_tag(path=AXE)
        return page.evaluate(
            "async () => (await axe.run()).violations"
            ".filter(each => ['serious', 'critical'].includes(each.impact))"
            ".map(each => `${each.id}: ${each.nodes.map(node => node.target).join(' ; ')}`)"
        )

    return found
