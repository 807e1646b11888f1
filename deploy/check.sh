#!/usr/bin/env bash
# Checks the deployment files without a cluster and without a container engine: the rendered manifests against the
# schemas of Kubernetes, the compose file against its specification, the Dockerfile by a linter. Before that it spoils
# copies of these files in ways that must not pass, so that a check that says yes to everything is noticed.
#
# The tools are installed once (deploy/build/tools.sh). Where that is not possible this is said aloud and the check is
# left out, but in CI (CI=true) it fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! "$here/build/tools.sh" deploy; then
    if [ "${CI:-}" = true ]; then
        echo "renkei: the deployment files could not be checked" >&2
        exit 2
    fi
    echo "renkei: SKIPPED: the deployment files were not checked against outside tools" >&2
    exit 0
fi
PATH="$("$here/build/tools.sh" path):$PATH"
schemas=$("$here/build/tools.sh" schemas)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

render() { kustomize build "$1" >"$scratch/rendered.yaml"; }

# Kinds without a schema count as errors, on purpose: nothing passes because nobody knows it.
conforms() {
    kubeconform -strict -kubernetes-version 1.34.0 \
        -schema-location "$schemas/{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json" \
        "$scratch/rendered.yaml"
}

# A limit of CPU throttles latency away, and an image that is named by version does not change.
scores() {
    kube-score score "$scratch/rendered.yaml" --output-format ci \
        --ignore-container-cpu-limit --ignore-test container-image-pull-policy >"$scratch/score.txt" ||
        { grep CRITICAL "$scratch/score.txt" && return 1; }
}

manifests() { render "$1/k8s/base" && conforms && scores; }
compose() { compose-spec "$1/compose.yaml" >/dev/null; }
image() { hadolint "$1/Dockerfile"; }

# The spoiled copy must be refused, and must differ from the original, or the sentence that spoils it is out of date.
refuses() { # check file sed-script
    rm -rf "$scratch/copy"
    cp -R "$here" "$scratch/copy"
    sed -i "$3" "$scratch/copy/$2"
    if cmp -s "$here/$2" "$scratch/copy/$2"; then
        echo "deploy/check.sh: nothing in $2 to spoil with $3" >&2
        exit 1
    fi
    if "$1" "$scratch/copy" >"$scratch/said.txt" 2>&1; then
        echo "deploy/check.sh: the check of $1 passed $2 spoiled with $3" >&2
        exit 1
    fi
}

refuses manifests k8s/base/ingest.yaml 's/^  replicas:/  replica:/'
refuses manifests k8s/base/workers.yaml 's/readOnlyRootFilesystem:/readOnlyRootFileSystem:/'
refuses manifests k8s/base/ingest.yaml 's/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/'
refuses manifests k8s/base/ingest.yaml 's/containerPort: 8080/containerPort: http/'
refuses manifests k8s/base/workers.yaml 's/^kind: Deployment/kind: Deploiment/'
refuses manifests k8s/base/kustomization.yaml 's/network.yaml/networks.yaml/'
refuses manifests k8s/base/network.yaml 's/policyTypes:/policyType:/'
refuses compose compose.yaml 's/depends_on:/dependson:/'
refuses compose compose.yaml 's/service_healthy/service_healty/'
refuses image Dockerfile 's/^USER 10001:10001/USER root/'
refuses image Dockerfile 's/--no-install-recommends //'

manifests "$here"
compose "$here"
image "$here"
echo "deploy: manifests, compose file and Dockerfile conform; $(grep -c '^refuses ' "${BASH_SOURCE[0]}") spoiled copies were refused"
