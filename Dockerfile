# Plain docker, podman and buildah all build this: docker build -t edi-gateway .
ARG BASE_IMAGE=python:3.11-slim-bookworm

# The wheel, made with the locked build tool.
FROM ${BASE_IMAGE} AS wheel
WORKDIR /build
COPY requirements/build.lock requirements/build.lock
RUN python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements/build.lock
COPY pyproject.toml ./
COPY edi_gateway edi_gateway
COPY sftp_test_server sftp_test_server
COPY demo demo
COPY mappings mappings
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /build/dist

# The environment that runs: locked requirements and our wheel, nothing that builds.
FROM ${BASE_IMAGE} AS environment
COPY requirements/runtime.lock /build/runtime.lock
RUN python3 -m venv /opt/edi-gateway \
    && /opt/edi-gateway/bin/python -m pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r /build/runtime.lock
COPY --from=wheel /build/dist /build/dist
RUN /opt/edi-gateway/bin/python -m pip install --no-cache-dir --no-deps --no-index /build/dist/*.whl \
    && /opt/edi-gateway/bin/python -m pip uninstall --quiet --yes pip setuptools

FROM ${BASE_IMAGE}
# For partners with PGP.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gpg gpg-agent \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 edi \
    && useradd --no-log-init --uid 10001 --gid edi --home-dir /var/lib/edi-gateway --shell /usr/sbin/nologin edi \
    && install -d -o edi -g edi -m 0750 /var/lib/edi-gateway \
    && install -d -m 0755 /etc/edi-gateway
COPY --from=environment /opt/edi-gateway /opt/edi-gateway
ENV PATH=/opt/edi-gateway/bin:$PATH \
    EDI_GATEWAY_CONFIG=/etc/edi-gateway \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/edi-gateway
# The database is all that is written: the root file system may be read-only. gateway.yaml says where it is:
# data: /var/lib/edi-gateway
VOLUME ["/var/lib/edi-gateway"]
# Secrets are mounted files, named in the configuration as ${file:/run/secrets/...}.
VOLUME ["/etc/edi-gateway"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["edi-gateway", "status"]
ENTRYPOINT ["edi-gateway"]
CMD ["run"]
