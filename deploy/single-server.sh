#!/usr/bin/env bash
# Installs Floodgate on one Debian server with PostgreSQL, unattended, and waits until it is ready:
#
#   sudo deploy/single-server.sh                      listens at 127.0.0.1:8080, data in PostgreSQL
#   sudo URLS=http://0.0.0.0:80 deploy/single-server.sh
#   sudo deploy/single-server.sh                      again after an update: builds, restarts, waits
#
# With systemd it becomes the service "floodgate"; without, it runs in the background, and its log is named.
# The operator's first key: sudo -u floodgate floodgate admin create
set -euo pipefail

root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
urls="${URLS:-http://127.0.0.1:8080}"
home=/var/lib/floodgate
app=/opt/floodgate
wait_seconds="${WAIT_SECONDS:-90}"

say() { printf 'single-server: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

(( EUID == 0 )) || die "run it with sudo: it installs packages, makes a user and a database."
command -v dotnet >/dev/null || die "install the .NET 10 SDK (https://dotnet.microsoft.com/download/dotnet/10.0)."

if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || ! command -v curl >/dev/null; then
  say "installing PostgreSQL and curl ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql curl >/dev/null
fi
service postgresql start >/dev/null 2>&1 || systemctl start postgresql

id floodgate >/dev/null 2>&1 || useradd --system --create-home --home-dir "$home" floodgate
mkdir -p "$home" /etc/floodgate
chown floodgate "$home"

sql() { runuser -u postgres -- psql -qtA -v ON_ERROR_STOP=1 "$@"; }
if [[ ! -f /etc/floodgate/floodgate.json ]]; then
  password="$(head -c 24 /dev/urandom | base64 | tr -d '+/=')"
  if [[ -z "$(sql -c "select 1 from pg_roles where rolname = 'floodgate'")" ]]; then
    sql -c "create role floodgate login"
    sql -c "create database floodgate owner floodgate"
  fi
  sql -c "alter role floodgate password '$password'"
  install -m 640 -g floodgate /dev/null /etc/floodgate/floodgate.json
  cat >/etc/floodgate/floodgate.json <<EOF
{
  "Database": { "ConnectionString": "Host=127.0.0.1;Database=floodgate;Username=floodgate;Password=$password" }
}
EOF
fi

say "building ..."
dotnet publish "$root/src/Floodgate" -c Release --use-current-runtime --self-contained false -o "$app.new" \
  --artifacts-path "$home/build" -v q --nologo >"$home/build.log" 2>&1 ||
  { cat "$home/build.log" >&2; die "the build failed"; }
rm -rf "$app.old"
if [[ -d "$app" ]]; then mv "$app" "$app.old"; fi
mv "$app.new" "$app"
cat >/usr/local/bin/floodgate <<EOF
#!/bin/sh
exec $(command -v dotnet) $app/Floodgate.dll "\$@" --settings /etc/floodgate/floodgate.json
EOF
chmod 755 /usr/local/bin/floodgate

if [[ -d /run/systemd/system ]]; then
  cat >/etc/systemd/system/floodgate.service <<EOF
[Unit]
Description=Floodgate
After=network-online.target postgresql.service
[Service]
User=floodgate
WorkingDirectory=$home
ExecStart=/usr/local/bin/floodgate up --urls $urls
Restart=always
RestartSec=1
TimeoutStopSec=30
LimitNOFILE=131072
[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable -q floodgate
  systemctl restart floodgate
  log="journalctl -u floodgate"
else
  if [[ -f "$home/floodgate.pid" ]] && kill -TERM "$(cat "$home/floodgate.pid")" 2>/dev/null; then
    while kill -0 "$(cat "$home/floodgate.pid")" 2>/dev/null; do sleep 0.1; done
  fi
  cd "$home"
  setsid runuser -u floodgate -- /usr/local/bin/floodgate up --urls "$urls" >>"$home/floodgate.log" 2>&1 </dev/null &
  echo $! >"$home/floodgate.pid"
  log="$home/floodgate.log"
fi

first="${urls%%;*}"
ready="${first/0.0.0.0/127.0.0.1}/health/ready"
say "waiting for $ready ..."
for (( i = 0; i < wait_seconds * 5; i++ )); do
  if curl -fs -o /dev/null "$ready"; then
    say "ready at $first. The operator's first key: sudo -u floodgate floodgate admin create"
    exit 0
  fi
  sleep 0.2
done
die "not ready after $wait_seconds s: $(curl -s "$ready" || true). See $log."
