"""`python run.py`, or `make run`: the service on this machine, on port 5001 unless FLASK_RUN_PORT says otherwise.

It serves the database of SQLALCHEMY_DATABASE_URI, and writes nothing to it. Without one it brings an embedded
PostgreSQL with demo data. Ctrl-C stops all of it.
"""

import signal

if __name__ == "__main__":
    # Ctrl-C during the imports, which take a moment, ends this without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from app.cli import main

    main()
