"""The overlays: built and validated offline, true to the code, closed in, open for the arrows only."""

import ipaddress
from pathlib import Path

import kubernetes_validate
import pytest

from messenger import __version__
from tests.deploy import facts, kubernetes
from tests.deploy.facts import ARROWS, ENGINES, ROOT, SERVICES
from tests.deploy.kubernetes import Object, of_kind, pods

OVERLAYS = ["development", "production"]
OURS = ("gateway", *SERVICES, "migrate")
PORTS = {"gateway": 8080, "auth": 8081, "message": 8082, "file": 8083, "key": 8084, **ENGINES}
FOREIGN = {"ServiceMonitor"}  # the Prometheus operator's


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Object]]:
    folder = Path(tmp_path_factory.mktemp("kubernetes"))
    return {overlay: kubernetes.build(overlay, folder) for overlay in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest, built: dict[str, list[Object]]) -> list[Object]:
    return built[request.param]


def validate(objects: list[Object], version: str) -> None:
    for one in objects:
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, version, strict=True)


def test_each_object_is_valid(built: dict[str, list[Object]]) -> None:
    both = [one for overlay in OVERLAYS for one in built[overlay]]
    validate([one for number, one in enumerate(both) if one not in both[:number]], "1.34")


@pytest.mark.long
@pytest.mark.parametrize("version", ["1.30", "1.32", "1.35", "1.37"])
def test_each_object_is_valid_in_other_versions(objects: list[Object], version: str) -> None:
    validate(objects, version)


def test_a_misspelt_field_would_be_found(objects: list[Object]) -> None:
    broken = {**of_kind(objects, "Deployment")["auth"], "spek": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


@pytest.mark.parametrize("name", OURS)
def test_each_process_is_one_that_the_code_has(objects: list[Object], name: str) -> None:
    process = kubernetes.process(objects, name)
    settings = facts.check(process)
    assert settings.gateway.drain == 10.0
    for host, port in facts.destinations(name, settings, process.environment):
        if host in PORTS:
            assert port == PORTS[host]
    if name in SERVICES:
        (trusted,) = getattr(settings, name).trusted_proxies
        assert ipaddress.ip_network(trusted).is_private


def test_names_lead_to_pods(objects: list[Object]) -> None:
    """Each Service chooses the pods of its name, by a port that they have."""
    templates = pods(objects)
    for name, service in of_kind(objects, "Service").items():
        template = templates[name.removesuffix("-metrics")]
        assert kubernetes.chosen({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
        (container,) = template["spec"]["containers"]
        named = {port["name"]: port["containerPort"] for port in container["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in named
            assert port["port"] in (named[port["targetPort"]], 80)
        if name in SERVICES:  # the gateway chooses among all of them
            assert service["spec"]["clusterIP"] == "None"


def test_policies_allow_the_picture_s_arrows_and_nothing_else(built: dict[str, list[Object]]) -> None:
    objects = built["development"]
    labels = {name: template["metadata"]["labels"] for name, template in pods(objects).items()}
    assert set(labels) == {*OURS, *ENGINES}
    for source, mine in labels.items():
        for target, others in labels.items():
            if target == "migrate" or source == target:
                continue
            found = kubernetes.may_speak(objects, mine, others, PORTS[target])
            # The gateway's own port is open to whoever may send anything at all: nobody in here.
            assert found == ((source, target) in ARROWS), (source, target)


def test_who_comes_from_outside(objects: list[Object]) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in pods(objects).items()}

    def enters(namespace: str, target: str, port: int) -> bool:
        return kubernetes.may_speak(objects, None, labels[target], port, namespace)

    assert enters("ingress", "gateway", 8080)
    assert not enters("ingress", "gateway", 8090)
    assert enters("monitoring", "gateway", 8090)
    for name in SERVICES:
        assert enters("monitoring", name, PORTS[name])
        assert not enters("ingress", name, PORTS[name])
    for name in set(labels) & set(ENGINES):
        assert not enters("monitoring", name, PORTS[name])


def test_the_world_is_reached_by_engines_ports_only(built: dict[str, list[Object]]) -> None:
    for name, one in of_kind(built["production"], "NetworkPolicy").items():
        for rule in one["spec"].get("egress", ()):
            assert rule["ports"], name
            if any("ipBlock" in peer for peer in rule["to"]):
                engine = name.removeprefix("to-")
                values = one["spec"]["podSelector"]["matchExpressions"][0]["values"]
                assert {(value, engine) for value in values} <= ARROWS
    assert not set(pods(built["production"])) & set(ENGINES)


def test_pods_are_of_the_restricted_kind(objects: list[Object]) -> None:
    namespace = of_kind(objects, "Namespace")["secure-messenger"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template in pods(objects).items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"]["cpu"]
            assert container["resources"]["limits"]["memory"]
        allowed = {"name", "configMap", "emptyDir", "secret", "persistentVolumeClaim"}
        assert all(set(volume) <= allowed for volume in spec["volumes"])


def test_services_bear_the_loss_of_a_machine(objects: list[Object]) -> None:
    budgets, scalers = of_kind(objects, "PodDisruptionBudget"), of_kind(objects, "HorizontalPodAutoscaler")
    assert set(scalers) == {"gateway", "message"}
    for name, one in of_kind(objects, "Deployment").items():
        assert budgets[name]["spec"]["selector"]["matchLabels"] == one["spec"]["selector"]["matchLabels"]
        assert one["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        (term,) = one["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        selector = term["podAffinityTerm"]["labelSelector"]
        assert kubernetes.chosen(selector, one["spec"]["template"]["metadata"]["labels"])
    for name, scaler in scalers.items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name


def test_images_are_this_version_s(objects: list[Object]) -> None:
    for name, template in pods(objects).items():
        image = template["spec"]["containers"][0]["image"]
        assert ":" in image
        if name in OURS:
            assert image.endswith(f"secure-messenger:{__version__}")


def test_engines_are_those_of_compose(built: dict[str, list[Object]]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ENGINES:
        assert pods(built["development"])[name]["spec"]["containers"][0]["image"] in text
    for file in ("nats.conf", "valkey.conf"):
        here = ROOT / "deploy/kubernetes/overlays/development" / file
        assert here.read_text() == (ROOT / "deploy/compose" / file).read_text()


def test_monitors_find_ports_that_serve_metrics(built: dict[str, list[Object]]) -> None:
    services = of_kind(built["production"], "Service")
    met = set()
    for monitor in of_kind(built["production"], "ServiceMonitor").values():
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["path"] in facts.probe_paths("auth")
        for name, service in services.items():
            if kubernetes.chosen(monitor["spec"]["selector"], service["metadata"]["labels"]):
                assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
                met.add(name)
    assert met == {"gateway-metrics", *SERVICES}


def test_the_autoscaler_alone_says_how_many(objects: list[Object]) -> None:
    """An apply would put its own number in the autoscaler's place."""
    for name, one in of_kind(objects, "Deployment").items():
        assert ("replicas" in one["spec"]) == (name not in of_kind(objects, "HorizontalPodAutoscaler"))
