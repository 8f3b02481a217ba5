# The pipeline as an image: `make build`. /app is read-only; a run writes to mounts and /tmp.
FROM python:3.13-slim AS dependencies

# pip stays in this stage: the environment that it fills has none
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /tmp/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-warn-script-location \
      --require-hashes --requirement /tmp/requirements.txt

FROM python:3.13-slim

# HOME for callers without one: an unknown uid would otherwise get /, which is not writable
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    STRAVA_HOME=/strava

RUN useradd --uid 1000 --home-dir /tmp --no-create-home --shell /bin/bash strava \
 && install --directory --owner=strava --group=strava \
      /strava /strava/data /strava/output /strava/warehouse /strava/secrets /strava/site
WORKDIR /app

COPY --from=dependencies /opt/venv /opt/venv
COPY . .
# at run time the code is read-only, so Python could not save what it compiles
RUN python -m compileall -q pipelines simulator
# nor could dbt keep what it reads of the project, which takes seconds: a build of an empty warehouse does
RUN HOME=/tmp/home STRAVA_HOME=/tmp/home python pipelines/strava.py build && rm -r /tmp/home

USER 1000:1000
HEALTHCHECK NONE
ENTRYPOINT ["python", "/app/pipelines/as_owner.py", "python", "/app/pipelines/strava.py"]

ARG VERSION=unknown
ARG REVISION=unknown
ARG INPUTS=unknown
LABEL org.opencontainers.image.title="strava-stats" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      strava-stats.inputs="$INPUTS"
