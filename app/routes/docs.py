"""`/openapi.json`, and Swagger UI over it at `/docs`, with no request to any other host."""

from pathlib import Path

import flask_swagger_ui
from apifairy import response
from flask import Blueprint, render_template

from app.schemas.answers.lists import Scalar
from app.web.openapi import document

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"

docs_bp = Blueprint("docs", __name__, static_folder=SWAGGER_UI, static_url_path="/docs/swagger-ui")


@docs_bp.get("/openapi.json")
@response(Scalar(type="object"))
def openapi() -> object:
    """This document."""
    return document()


@docs_bp.get("/docs")
def docs() -> str:
    """Swagger UI over the document."""
    return render_template("docs.html")
