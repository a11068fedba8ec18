# One image for every process of the hub; compose chooses the command.

FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/interpile
ENV PATH=/opt/interpile/bin:$PATH
COPY requirements.lock ./
RUN pip install --no-cache-dir --quiet --require-hashes --requirement requirements.lock
COPY pyproject.toml LICENSE ./
COPY operator_sdk operator_sdk
COPY hub hub
COPY edge_agent edge_agent
COPY mobile_bff mobile_bff
RUN pip install --no-cache-dir --quiet --no-deps --no-build-isolation .

FROM python:3.11-slim
# Statements and labels are printed in Chinese: what is used of this font goes into them.
RUN apt-get update && apt-get install --yes --no-install-recommends fonts-wqy-zenhei && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home --home-dir /var/lib/interpile interpile
COPY --from=build /opt/interpile /opt/interpile
ENV PATH=/opt/interpile/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/interpile
USER interpile
EXPOSE 8080
CMD ["interpile", "serve", "--host", "0.0.0.0", "--port", "8080"]
