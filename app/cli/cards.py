"""`flask cards`: URLs of cards for those who have no key."""

import click
from flask import current_app
from flask.cli import AppGroup

from app.web.signatures import signed

cards = AppGroup("cards", help="Pictures of insights.")


@cards.command()
@click.argument("url")
@click.option("--days", type=click.IntRange(1, 3660), required=True, help="How long the URL is good for.")
def sign(url: str, days: int) -> None:
    """Sign the URL of a card, so that it can be seen without a key."""
    if not (secret := current_app.config["CARD_SIGNING_KEY"]):
        raise click.ClickException("CARD_SIGNING_KEY must be set, here and where the service runs")
    try:
        click.echo(signed(secret, url, days * 24 * 3600))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
