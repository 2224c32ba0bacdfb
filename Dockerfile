# Sallyport in a container: proxy on 3128, admin API on 3129, everything it keeps under /data.
#
#   docker build -t sallyport .
#   docker run -p 127.0.0.1:3128:3128 -p 127.0.0.1:3129:3129 -v sallyport:/data sallyport
#
# The admin key is printed once, at the first start. The image holds no development dependency.

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production \
    SALLYPORT_DATA_DIR=/data \
    SALLYPORT_PROXY_LISTEN=*:3128 \
    SALLYPORT_ADMIN_LISTEN=*:3129
WORKDIR /app
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir /data && chown node:node /data && chmod 0700 /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY src ./src
COPY proxy ./proxy
COPY admin-api ./admin-api
COPY cli ./cli
USER node
VOLUME /data
EXPOSE 3128 3129
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "cli/main.ts", "health"]
# The server is process 1 and handles SIGTERM itself: drain, flush, exit 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "cli/main.ts"]
CMD ["serve", "--log-format", "json"]
