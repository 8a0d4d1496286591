"""deploy/kubernetes as a cluster gets it: built by `kubectl kustomize`, and read as data."""

import base64
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.facts import ROOT, Process

Object = dict[str, Any]
BIN = Path(sys.executable).parent


def build(overlay: str, folder: Path) -> list[Object]:
    """An overlay's objects, with secrets made for it by the script; in a copy below `folder`."""
    if not (folder / "deploy").exists():
        shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    place = folder / "deploy/kubernetes/overlays" / overlay
    subprocess.run(
        [folder / "deploy/make-secrets.sh", place / "secrets"], check=True, capture_output=True, timeout=60
    )
    done = subprocess.run(
        [BIN / "kubectl", "kustomize", place], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """Those of a kind, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


def pods(objects: list[Object]) -> dict[str, Object]:
    """The pod template of each workload, by its name."""
    found = of_kind(objects, "Deployment", "StatefulSet", "Job")
    return {name: one["spec"]["template"] for name, one in found.items()}


def process(objects: list[Object], name: str) -> Process:
    """A workload of ours as a process."""
    spec = pods(objects)[name]["spec"]
    (container,) = spec["containers"]
    environment: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        environment |= of_kind(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    environment |= {one["name"]: one["value"] for one in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    files = {}
    for volume in spec["volumes"]:
        secret = of_kind(objects, "Secret")[volume["secret"]["secretName"]]
        for item in volume["secret"]["items"]:
            assert base64.b64decode(secret["data"][item["key"]])
            files[f"{mounts[volume['name']]}/{item['path']}"] = ROOT / "absent" / item["key"]
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    probes = [
        (ports[container[kind]["httpGet"]["port"]], container[kind]["httpGet"]["path"])
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        if kind in container
    ]
    grace = spec.get("terminationGracePeriodSeconds")
    return Process(name, container["command"], environment, files, probes, grace)


def chosen(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes an object with these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def _open(rules: list[Object], side: str, labels: dict[str, str], namespace: str, port: int) -> bool:
    for rule in rules:
        if "ports" in rule and port not in [one["port"] for one in rule["ports"]]:
            continue
        if side not in rule:
            return True
        for peer in rule[side]:
            if "ipBlock" in peer:
                continue
            where = peer.get("namespaceSelector")
            inside = namespace == "secure-messenger"
            if where is not None:
                inside = chosen(where, {"kubernetes.io/metadata.name": namespace})
            if inside and chosen(peer.get("podSelector", {}), labels):
                return True
    return False


def may_speak(
    objects: list[Object],
    source: dict[str, str] | None,
    target: dict[str, str],
    port: int,
    namespace: str = "secure-messenger",
) -> bool:
    """Whether the policies let a pod with labels `source` (of another namespace: not judged) reach a port."""
    policies = list(of_kind(objects, "NetworkPolicy").values())

    def allowed(labels: dict[str, str], kind: str, side: str, other: dict[str, str], where: str) -> bool:
        mine = [
            one["spec"]
            for one in policies
            if chosen(one["spec"]["podSelector"], labels) and kind in one["spec"]["policyTypes"]
        ]
        return not mine or any(_open(spec.get(kind.lower(), []), side, other, where, port) for spec in mine)

    if namespace != "secure-messenger":
        return allowed(target, "Ingress", "from", source or {}, namespace)
    assert source is not None
    return allowed(source, "Egress", "to", target, "secure-messenger") and allowed(
        target, "Ingress", "from", source, "secure-messenger"
    )
