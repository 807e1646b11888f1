#!/usr/bin/env bash
# Makes the secrets of deploy/compose.yaml under deploy/secrets/, and never touches one that is there: a new master key
# could not open what the old one sealed.
set -euo pipefail

folder=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/secrets}

# Containers read the files as another user, so they are readable to all, in a folder that only we may enter.
mkdir -p "$folder"
chmod 700 "$folder"

random() { # bytes
    head -c "$1" /dev/urandom
}

write() { # name; the content comes by standard input
    if [ -e "$folder/$1" ]; then
        echo "kept    $folder/$1"
    else
        cat >"$folder/$1.new"
        chmod 444 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
        echo "made    $folder/$1"
    fi
}

random 32 | base64 | write master-key
printf 'whsec_%s' "$(random 32 | base64)" | write webhook-secret
random 24 | base64 | tr -d '\n' | tr '+/' '-_' | write postgres-password
printf 'postgres://renkei:%s@postgres:5432/renkei' "$(cat "$folder/postgres-password")" | write store-url
