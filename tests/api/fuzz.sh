#!/usr/bin/env bash
# Sends schemathesis against a running ingest with a store of its own: no answer may be a 5xx, and every answer to
# what docs/openapi.json has must be one that it knows. Needs python3; schemathesis comes from PyPI into a folder under target/.
#
#   fuzz.sh [EXAMPLES]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
examples=${1:-30}
out=${CARGO_TARGET_DIR:-target}
venv=${SCHEMATHESIS_VENV:-$out/schemathesis}

[ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" --quiet install 'schemathesis>=4,<5'; }
cargo build --quiet -p renkei-ingest --bin renkei-ingest

folder=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
port=$((20000 + RANDOM % 20000))
RENKEI_MASTER_KEY=$(openssl rand -base64 32)
export RENKEI_MASTER_KEY
export RENKEI_STORE="sqlite://$folder/renkei.db"
export RENKEI_LISTEN="127.0.0.1:$port" RENKEI_INTERNAL_LISTEN="127.0.0.1:$((port + 1))"
token=$("$out/debug/renkei-ingest" token create --platform --name fuzz)
"$out/debug/renkei-ingest" serve >"$folder/log" 2>&1 &
server=$!
address="http://127.0.0.1:$port"
for _ in $(seq 100); do
    curl --silent --fail --output "$folder/openapi.json" "$address/api/openapi.json" && break
    sleep 0.1
done

# Something to be found, so that more is reached than 404.
call() {
    curl --silent --show-error --fail --output /dev/null -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' "$@"
}
call "$address/api/v1/tenants" -X POST -d '{"id":"fuzz"}'
call "$address/api/v1/connections" -X POST -d '{"id":"fuzz-c","source":"roumumate"}' -H 'Renkei-Tenant: fuzz'

# Once with ids that lead somewhere, once with invented ones. Calls of one token are limited; 40 a second stay below.
cat >"$folder/found.toml" <<'TOML'
[parameters]
"path.id" = "fuzz-c"
"path.connection" = "fuzz-c"
"header.If-Match" = "*"
"header.Renkei-Tenant" = "fuzz"
TOML
run() {
    "$venv/bin/schemathesis" "$@" --url "$address" --max-examples "$examples" --rate-limit 40/s --seed 1 \
        --header "Authorization: Bearer $token"
}
run --config-file "$folder/found.toml" run "$folder/openapi.json" --phases examples,coverage,fuzzing \
    --checks not_a_server_error,content_type_conformance --exclude-operation-id disconnect
run run "$folder/openapi.json" --phases fuzzing \
    --checks not_a_server_error,status_code_conformance,content_type_conformance
