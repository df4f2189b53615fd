# docker build --target cpu -t fairlead .
# docker build --target gpu -t fairlead:gpu .
# docker run -p 8080:8080 -v fairlead:/var/lib/fairlead fairlead serve --upstream http://host.docker.internal:11434/v1

FROM python:3.13-slim AS build-cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/fairlead
WORKDIR /src
COPY pyproject.toml README.md ./
COPY service service
COPY scorers scorers
COPY storage storage
COPY dashboards dashboards
RUN /opt/fairlead/bin/pip install '.[postgres,otel]'

# onnxruntime-gpu from 1.27 on is built for CUDA 13 and cuDNN 9; the venv takes this image's Python.
FROM nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04 AS python-gpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM python-gpu AS build-gpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/fairlead
WORKDIR /src
COPY pyproject.toml README.md ./
COPY service service
COPY scorers scorers
COPY storage storage
COPY dashboards dashboards
# Both distributions own the same files, so the CPU one has to be gone before the other comes.
RUN /opt/fairlead/bin/pip install '.[postgres,otel]' \
    && /opt/fairlead/bin/pip uninstall --yes onnxruntime \
    && /opt/fairlead/bin/pip install 'onnxruntime-gpu>=1.27' \
    && /opt/fairlead/bin/python -c "import onnxruntime as o; assert 'CUDAExecutionProvider' in o.get_available_providers()"

FROM python-gpu AS gpu
COPY --from=build-gpu /opt/fairlead /opt/fairlead
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/fairlead fairlead
ENV PATH=/opt/fairlead/bin:$PATH PYTHONUNBUFFERED=1
USER fairlead
WORKDIR /var/lib/fairlead
VOLUME /var/lib/fairlead
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["fairlead"]
CMD ["serve", "--host", "0.0.0.0"]

# The last target is what a plain `docker build .` makes.
FROM python:3.13-slim AS cpu
COPY --from=build-cpu /opt/fairlead /opt/fairlead
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/fairlead fairlead
ENV PATH=/opt/fairlead/bin:$PATH PYTHONUNBUFFERED=1
USER fairlead
WORKDIR /var/lib/fairlead
VOLUME /var/lib/fairlead
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["fairlead"]
CMD ["serve", "--host", "0.0.0.0"]
