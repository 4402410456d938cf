"""`flask api-keys`: keys for those who may use the API."""

import hashlib
import secrets

import click
from flask.cli import AppGroup

from config import KEY_NAME

api_keys = AppGroup("api-keys", help="Make keys for those who may use the API.")


def _check_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not KEY_NAME.fullmatch(name):
        raise click.BadParameter("up to 64 of A-Z a-z 0-9 . _ -")
    return name


@api_keys.command()
@click.argument("name", callback=_check_name)
def new(name: str) -> None:
    """Make a key for NAME: the key, which is shown this once, and the pair that API_KEYS takes.

    Nothing is stored. Who has the key sends it as `Authorization: Bearer KEY`. To let a key take another's place, set
    both pairs, comma separated, until nobody uses the old one.
    """
    key = secrets.token_urlsafe(32)
    click.echo(f"key   {key}")
    click.echo(f"pair  {name}:{hashlib.sha256(key.encode()).hexdigest()}")
