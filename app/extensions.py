"""The Flask extensions, unbound; `create_app` binds them."""

import warnings

from flask_caching import Cache
from flask_compress import Compress
from flask_sqlalchemy import SQLAlchemy

with warnings.catch_warnings():
    # Flask-Marshmallow, which APIFairy brings, misses a package for schemas made from models; there are none here.
    warnings.filterwarnings("ignore", message="Flask-SQLAlchemy integration requires marshmallow-sqlalchemy")
    from apifairy import APIFairy

db = SQLAlchemy(disable_autonaming=True)
cache = Cache(with_jinja2_ext=False)
apifairy = APIFairy()
compress = Compress()
