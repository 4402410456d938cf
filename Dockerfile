# Another registry with the same image, where Docker Hub's limit on pulls is in the way (buildspec.yml).
ARG REGISTRY=docker.io/library

# The interpreter that the tests run on. Not pinned to a patch: each build takes its security fixes.
FROM ${REGISTRY}/python:3.11-slim AS base


FROM base AS build
RUN python -m venv /venv
# Before the code, so that a change of code alone reuses this layer.
COPY requirements.txt /
# Wheels only: there is no compiler here, and the build should say so at once.
RUN /venv/bin/pip install --no-cache-dir --only-binary=:all: --requirement /requirements.txt


# With what `flask taste build` and `flask archive` need, too.
FROM build AS build-batch
COPY requirements-batch.txt /
RUN /venv/bin/pip install --no-cache-dir --only-binary=:all: --requirement /requirements-batch.txt


FROM base AS runtime
# A fixed number, so that a host and Kubernetes' runAsNonRoot can name it. The code belongs to root: the service cannot
# change it, and needs to write nowhere, so the root file system can be read-only.
RUN useradd --uid 10001 --user-group --no-log-init --no-create-home --home-dir /srv --shell /usr/sbin/nologin songswap
WORKDIR /srv

ENV PATH=/venv/bin:$PATH \
    FLASK_APP=app.cli \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 5001

# /health touches nothing: a database that is away must not have every container replaced. For that there is /ready.
# Not urllib, which would send this to HTTP_PROXY.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('FLASK_RUN_PORT') or 5001), timeout=2); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]

# Gunicorn, by way of its settings.
CMD ["python", "gunicorn.conf.py"]


# `docker build --target batch`: the service that also builds models of taste, and writes archives.
FROM runtime AS batch
COPY --from=build-batch /venv /venv
COPY . .


FROM runtime
COPY --from=build /venv /venv
# What .dockerignore lets through.
COPY . .

# Last, for they change with each commit.
ARG REVISION=unknown
LABEL org.opencontainers.image.title="songswap-insights" \
      org.opencontainers.image.description="REST API that turns SongSwap's listening history into insights" \
      org.opencontainers.image.vendor="SongSwap" \
      org.opencontainers.image.revision="${REVISION}"
