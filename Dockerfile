# All images of the project, one target each: operator, service (for GPUs), service-cpu, bench.
#
#   docker build --target operator -t reranker-operator .
#   hack/images/build operator            # the same without a Docker engine; hack/images/README.md says more
#
# Dependencies are installed in the final stage itself, by tools that are only mounted into it, and below our own code:
# no layer holds a tool, no gigabytes are copied between stages, and an edit of ours costs one layer of a few kilobytes.

ARG BASE=debian:bookworm-slim

# ---- Debian's Python, beneath everything. Certificates that are there already may be the host's, mounted read-only.
FROM ${BASE} AS python
RUN apt-get update \
 && certificates="$(test -e /etc/ssl/certs/ca-certificates.crt || echo ca-certificates)" \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 ${certificates} \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# ---- what builds the images, and is in none of them
FROM python AS tools
ARG UV_VERSION=0.13.9
ARG HATCHLING_VERSION=1.33.0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv \
 && python3 -m venv /opt/tools \
 && /opt/tools/bin/pip install --no-cache-dir "uv==${UV_VERSION}" "hatchling==${HATCHLING_VERSION}"

# A stage without a step of its own, because buildah 1.28 mounts nothing from a stage whose steps all came from its cache.
FROM tools AS mounted-tools

# ---- uv.lock, cut into one list of pinned and hashed packages for each image: its layer of dependencies is built anew
# when that list changes, not with every edit of the two files. The installing script travels with the list, because
# buildah looks for changes in what a step copies, not in what it mounts.
FROM tools AS packages
WORKDIR /project
COPY pyproject.toml uv.lock hack/images/in-image/list-packages ./
COPY hack/images/in-image/install-packages /packages/operator/
COPY hack/images/in-image/install-packages /packages/bench/
COPY hack/images/in-image/install-packages /packages/service/
RUN ./list-packages --extra operator >/packages/operator/packages.txt \
 && ./list-packages --extra bench >/packages/bench/packages.txt \
 && ./list-packages --extra service --extra gpu >/packages/service/packages.txt

# The CPU image leaves out what torch brings for GPUs: hack/cpu-torch/README.md
FROM packages AS packages-cpu
ARG TORCH_INDEX=
COPY hack/images/in-image/install-packages \
     hack/cpu-torch/choose hack/cpu-torch/finish hack/cpu-torch/stub_libraries.py \
     /packages/service-cpu/
RUN ./list-packages --extra service --extra cpu | /packages/service-cpu/choose "${TORCH_INDEX}" /packages/service-cpu

# ---- our own code: one package and its command, to be laid over the environment of the dependencies
FROM tools AS code
WORKDIR /project
COPY pyproject.toml LICENSE hack/images/in-image/install-own ./

FROM code AS code-operator
COPY operator operator
RUN ./install-own reranker-operator

FROM code AS code-bench
COPY bench bench
RUN ./install-own reranker-bench

FROM code AS code-service
COPY service service
RUN ./install-own reranker-service

# ---- what all images share: a user without rights, and a place for caches where the root file system is read-only
FROM python AS runtime
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin reranker \
 && install -d -o reranker -g reranker /var/cache/reranker \
 && rm -f /var/log/lastlog /var/log/faillog /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
ENV PATH=/opt/reranker/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The reranker-operator authors"
STOPSIGNAL SIGTERM

# ---- operator
FROM runtime AS operator
COPY --from=packages /packages/operator /usr/local/share/reranker
RUN --mount=type=bind,from=mounted-tools,source=/opt/tools,target=/opt/tools \
    --mount=type=cache,target=/var/cache/uv,sharing=shared \
    /usr/local/share/reranker/install-packages \
    aiohttp.web kopf kubernetes.aio.client kubernetes.aio.config prometheus_client pydantic yaml
ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="reranker-operator" \
      org.opencontainers.image.description="Kubernetes operator that serves rerankers" \
      org.opencontainers.image.version="${VERSION}"
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["reranker-operator"]
COPY --from=code-operator /opt/reranker /opt/reranker

# ---- bench
FROM runtime AS bench
COPY --from=packages /packages/bench /usr/local/share/reranker
RUN --mount=type=bind,from=mounted-tools,source=/opt/tools,target=/opt/tools \
    --mount=type=cache,target=/var/cache/uv,sharing=shared \
    /usr/local/share/reranker/install-packages pydantic rich.console rich.live rich.progress rich.table yaml
ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="reranker-bench" \
      org.opencontainers.image.description="Benchmark of reranker services" \
      org.opencontainers.image.version="${VERSION}"
USER 10001:10001
ENTRYPOINT ["reranker-bench"]
COPY --from=code-bench /opt/reranker /opt/reranker

# ---- service, for GPUs. Triton and other just-in-time compilers of the engine call a C++ compiler, need Python's headers,
# and find ninja in the environment; what they make goes into the cache folder, so that a volume there keeps it.
FROM runtime AS service
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ libc6-dev libnuma1 libpython3-dev \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=packages /packages/service /usr/local/share/reranker
RUN --mount=type=bind,from=mounted-tools,source=/opt/tools,target=/opt/tools \
    --mount=type=cache,target=/var/cache/uv,sharing=shared \
    /usr/local/share/reranker/install-packages
ENV HF_HOME=/var/cache/reranker/hub \
    XDG_CACHE_HOME=/var/cache/reranker \
    TRITON_CACHE_DIR=/var/cache/reranker/triton \
    TORCHINDUCTOR_CACHE_DIR=/var/cache/reranker/inductor \
    FLASHINFER_WORKSPACE_BASE=/var/cache/reranker \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="reranker-service" \
      org.opencontainers.image.description="Qwen3 reranker service on vLLM, for GPUs" \
      org.opencontainers.image.version="${VERSION}"
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["reranker-service"]
COPY --from=code-service /opt/reranker /opt/reranker

# ---- service-cpu, with the demonstration model in it (build/models/tiny-reranker, which hack/images/build assembles)
FROM runtime AS service-cpu
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libnuma1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=packages-cpu /packages/service-cpu /usr/local/share/reranker
RUN --mount=type=bind,from=mounted-tools,source=/opt/tools,target=/opt/tools \
    --mount=type=cache,target=/var/cache/uv,sharing=shared \
    /usr/local/share/reranker/install-packages \
    fastapi opentelemetry.exporter.otlp.proto.http.trace_exporter opentelemetry.sdk.trace.export pydantic_settings \
    uvicorn uvloop vllm.v1.engine.async_llm vllm.v1.worker.cpu_worker vllm.v1.attention.backends.cpu_attn
COPY build/models/tiny-reranker /models/tiny-reranker
ENV HF_HOME=/var/cache/reranker/hub \
    XDG_CACHE_HOME=/var/cache/reranker
ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="reranker-service-cpu" \
      org.opencontainers.image.description="Qwen3 reranker service on vLLM's CPU build, with a demonstration model" \
      org.opencontainers.image.version="${VERSION}"
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["reranker-service"]
COPY --from=code-service /opt/reranker /opt/reranker
