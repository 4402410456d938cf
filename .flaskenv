# What plain `flask ...` works on. Settings belong in .env.
FLASK_APP=app.cli
FLASK_RUN_PORT=5001
