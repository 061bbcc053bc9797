# Image of the bot: runtime dependencies, code and presets, no TensorFlow. For amd64 and arm64.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
# The lock is copied first, so a change of the code reuses the layer with the dependencies.
COPY requirements/runtime.lock requirements/
RUN /opt/venv/bin/pip install --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY db db
COPY genrec genrec
# Editable, because the code finds the presets beside itself, as in a clone.
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q bot db genrec
COPY models models

FROM python:${PYTHON_VERSION}-slim
# tini forwards signals and reaps orphaned workers. The base image decides its version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --no-log-init --uid 10001 --user-group --home-dir /data --no-create-home \
        --shell /usr/sbin/nologin genrec \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GENREC_PRESET=/app/models/resnet50 \
    GENREC_DATABASE=/data/genrec.db \
    GENREC_LOCAL_DISCORD_HOST=0.0.0.0 \
    GENREC_HTTP_PORT=9090
LABEL org.opencontainers.image.title="genrec" \
      org.opencontainers.image.description="A Discord bot that predicts genres and finds similar tracks" \
      org.opencontainers.image.licenses="MIT"
USER 10001
WORKDIR /data
VOLUME /data
# The page without a token, and health and metrics.
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['GENREC_HTTP_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["tini", "--", "genrec"]
CMD ["run"]
