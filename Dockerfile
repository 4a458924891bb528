# lockbridge in a container: the service with everything in it. Data and key live in the volume /data.
FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/app PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements/runtime.txt requirements/
RUN pip install --require-hashes -r requirements/runtime.txt

COPY lockbridge lockbridge
COPY providers providers
COPY templates templates
COPY migrations migrations
COPY settings.toml LICENSE ./
RUN python -m compileall -q lockbridge providers

RUN useradd --system --uid 10001 --home-dir /data lockbridge && install -d -o lockbridge -m 700 /data
USER lockbridge
WORKDIR /data
VOLUME /data

ENV LOCKBRIDGE_DATABASE__URL=sqlite:////data/lockbridge.sqlite3 LOCKBRIDGE_SECRETS__KEY_FILE=/data/lockbridge.key \
  LOCKBRIDGE_SERVER__HOST=0.0.0.0 LOCKBRIDGE_LOG__FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "lockbridge"]
CMD ["serve"]
