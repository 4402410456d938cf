"""`make screenshots`: the pictures of the page and the cards in docs/, of the demo data."""

import sys
import tempfile
from pathlib import Path

from app.cli.embedded.database import DATABASE
from app.cli.embedded.server import EmbeddedPostgres
from app.cli.serving import demo_database
from tests.support.browser import CHROMIUM, chromium
from tests.support.servers import ROOT, starting

# Name, address, and whether it is dark.
PICTURES = [
    ("page", "/?user=1&range=365d", False),
    ("page-dark", "/?user=1&range=365d", True),
    ("page-wrapped", "/?user=1&view=wrapped", True),
]
WIDTH, HEIGHT = 1280, 860

CARDS = {
    "top-tracks": "light", "top-artists": "dark", "top-genres": "light", "activity": "dark", "clock": "light",
    "review": "dark",
}  # fmt: skip


def main() -> None:
    """Draw all of them."""
    if CHROMIUM is None:
        sys.exit("Chromium is not installed (Debian: apt install chromium)")
    with (
        EmbeddedPostgres.temporary({"fsync": "off"}) as server,
        demo_database(server),
        tempfile.TemporaryDirectory() as folder,
        starting(Path(folder), server.uri(DATABASE)) as start,
        chromium() as browser,
    ):
        service = start(EXPLORER="true", WEB_CONCURRENCY="1")
        for name, address, is_dark in PICTURES:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if is_dark else "light"
            )
            page.goto(f"http://127.0.0.1:{service.port}{address}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=ROOT / "docs" / f"{name}.png")
            page.close()
        for kind, theme in CARDS.items():
            card = service.ask(f"/insights/cards/{kind}/1?range=365d&theme={theme}")
            (ROOT / "docs/cards" / f"{kind}.svg").write_bytes(card.body)


if __name__ == "__main__":
    main()
