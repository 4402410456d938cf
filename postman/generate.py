"""`python -m postman.generate`: write the collection."""

import json
from pathlib import Path
from random import Random

from app import create_app
from app.cli.demo import Size
from app.cli.demo.catalogue import make_catalogue
from app.cli.serving import SEED
from app.extensions import apifairy
from config import load_settings
from postman.collection import collection

COLLECTION = Path(__file__).parent / "songswap-insights.postman_collection.json"


def variables() -> dict[str, str]:
    """The values that fit the service on this machine with its demo data; the secrets are for people to fill in."""
    catalogue = make_catalogue(Random(SEED), Size().artists)
    artist = max(catalogue.artists, key=lambda artist: artist.fame)
    track = next(track for track in catalogue.tracks if (artist.id, True) in track.credits)
    return {
        "baseUrl": "http://127.0.0.1:5001",
        "apiKey": "",
        "invalidationSecret": "",
        "user_id": "1",
        "other_user_id": "2",
        "track_id": track.id,
        "artist_id": artist.id,
        "year": "2026",
    }


def generated() -> str:
    """The collection, as the file has it."""
    # The document is the same whatever the settings, and no database is asked for it.
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": "postgresql://nobody@127.0.0.1:1/nothing"}))
    with app.test_request_context():
        document = apifairy.apispec
    return json.dumps(collection(document, variables()), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COLLECTION.write_text(generated(), encoding="utf-8")
    print(f"Written: {COLLECTION.relative_to(Path.cwd())}")
