"""Which encoding an answer has, and the tags of compressed files."""

import pytest
from flask.testing import FlaskClient

# Flask-Compress leaves it to Python to close a file that it has read.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

LONG = "/openapi.json"
STYLES = "/docs/swagger-ui/swagger-ui.css"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("*;q=0.5, zstd;q=0, br;q=0", "gzip"),
        ("", None),
        ("gzip;q=0", None),
        ("gzip; q=0", None),
        ("gzip;q=0.0", None),
        ("gzip;q=0.000", None),
        ("br;q=0", None),
        ("zstd;q=0, br;q=0, gzip;q=0", None),
        ("*;q=0", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, *;q=0", None),
        ("gzip;q=x", None),
        ("deflate", None),
        (",;=", None),
    ],
)
@pytest.mark.parametrize("path", [LONG, STYLES])
def test_the_encoding_is_the_one_that_the_caller_likes_best(
    path: str, accepted: str, encoding: str | None, client: FlaskClient
) -> None:
    with client.get(path, headers={"Accept-Encoding": accepted}) as answer:
        assert (answer.status_code, answer.headers.get("Content-Encoding")) == (200, encoding)
        assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("accepted", ["", "zstd", "br", "gzip", "gzip;q=0"])
def test_who_has_a_file_is_told_so(accepted: str, client: FlaskClient) -> None:
    with client.get(STYLES, headers={"Accept-Encoding": accepted}) as file:
        tag = file.headers["ETag"]
    for given in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        with client.get(STYLES, headers={"Accept-Encoding": accepted, "If-None-Match": given}) as told:
            assert (told.status_code, told.data) == (304, b""), given
            assert "Accept-Encoding" in told.headers["Vary"]
    with client.get(STYLES, headers={"Accept-Encoding": accepted, "If-None-Match": '"another"'}) as file:
        assert file.status_code == 200


def test_a_part_of_a_file_is_that_part(client: FlaskClient) -> None:
    with client.get(STYLES) as file:
        whole = file.data
    with client.get(STYLES, headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9999"}) as part:
        assert (part.status_code, part.headers.get("Content-Encoding")) == (206, None)
        assert part.data == whole[:10_000]
