#!/usr/bin/env bash
# Run once by the image of PostgreSQL: the replica may connect.
set -euo pipefail
echo "host replication floodgate all scram-sha-256" >>"$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "alter role floodgate replication"
