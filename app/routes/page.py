"""`/`: the explorer, a page that shows every insight. It is made of static files and asks this API alone."""

from pathlib import Path

from flask import Blueprint, Response, abort, current_app, render_template, url_for

from app.web.headers import policy

FILES = Path(__file__).parent.parent / "page"

# Where the page may take somebody's own files, the configuration has what it shows for that.
UPLOAD_TOKEN = "UPLOAD_TOKEN"  # nosec B105

page_bp = Blueprint(
    "page", __name__, static_folder=FILES / "static", static_url_path="/page", template_folder=FILES / "templates"
)

# Observable Plot puts this style sheet into each of its pictures of the class `plot`.
PLOT_STYLE = "'sha256-+TfQir1nvDucAdvE6XUQBt4ayUjpAWkbw2kCdSfekHM='"

# The catalogue's pictures lie on other hosts.
PAGE_POLICY = policy(styles=PLOT_STYLE, images="https:")


@page_bp.before_request
def _only_where_it_is_on() -> None:
    if not current_app.config["EXPLORER"]:
        abort(404)


@page_bp.get("/")
def explorer() -> Response:
    """A page that shows every insight as pictures and tables, where EXPLORER is on."""
    page = render_template("index.html", file=_url, modules=MODULES, upload_token=current_app.config.get(UPLOAD_TOKEN))
    return Response(page, headers={"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"})


def _url(name: str) -> str:
    return url_for("page.static", filename=name)


# The browser gets all of them at once, rather than each when another one names it.
MODULES = sorted(str(file.relative_to(FILES / "static")) for file in (FILES / "static" / "js").rglob("*.js"))
