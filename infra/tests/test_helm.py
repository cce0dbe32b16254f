"""infra/helm: the chart is rendered by Helm with many values, and each manifest held against the schemas of Kubernetes
itself; what the pod would start is started. Manifests of the Prometheus operator have no such schemas here: what they say
is compared with the files that Prometheus itself reads."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

import kubernetes_validate
import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
INFRA = HERE.parent
CHART = INFRA / "helm/matchcut"
# That of setup.sh, else one that is there.
OURS = pathlib.Path(sys.executable).with_name("helm")
HELM = str(OURS) if OURS.is_file() else shutil.which("helm")
KUBERNETES = ["1.27", "1.32", "1.36"]

pytestmark = pytest.mark.skipif(not HELM, reason="no helm here")

VALUES = {
    "nothing": {},
    "everything": {
        "image": {"repository": "registry.example.com/matchcut", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "pull"}],
        "publicUrl": "https://matchcut.example.com",
        "env": [{"name": "AWS_REGION", "value": "eu-central-1"}],
        "envFrom": [{"secretRef": {"name": "kafka"}}],
        "adminKey": {"existingSecret": "first-key"},
        "persistence": {"size": "100Gi", "storageClass": "gp3", "accessModes": ["ReadWriteOncePod"], "whenDeleted": "Delete"},
        "serviceAccount": {"name": "events", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/matchcut"}},
        "service": {"type": "LoadBalancer", "port": 80, "annotations": {"a": "b"}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "matchcut.example.com",
            "tlsSecret": "certificate",
            "annotations": {"a": "b"},
        },
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "media", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "media",
    },
    "closed": {"networkPolicy": {"from": [], "egress": []}, "maxEvents": 0},
    "bare": {
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"create": False},
        "persistence": {"existingClaim": "store"},
    },
}


def helm(*command, values=None):
    environment = {**os.environ, "HELM_NO_PLUGINS": "1"}
    text = None if values is None else json.dumps(values)
    more = [] if values is None else ["--values", "-"]
    return subprocess.run(
        [HELM, *command, *more], input=text, capture_output=True, text=True, env=environment, timeout=60
    )


def manifests(values, version="1.36", name="cup"):
    done = helm("template", name, CHART, "--namespace", "media", "--kube-version", version, values=values)
    assert done.returncode == 0, done.stderr
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(done.stdout) if manifest}


def test_the_linter_finds_nothing():
    for values in VALUES.values():
        done = helm("lint", CHART, "--strict", "--kube-version", "1.36.0", values=values)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_takes_every_manifest(values, version):
    made = manifests(VALUES[values], version)
    assert {"StatefulSet", "Service"} <= made.keys()
    for kind, manifest in made.items():
        if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        kubernetes_validate.validate(manifest, version, strict=True)
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "cup", kind


def test_a_manifest_with_a_mistake_is_refused():
    pod = manifests({})["StatefulSet"]
    pod["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(pod, "1.36", strict=True)


def test_what_is_switched_off_is_not_there():
    assert manifests({}).keys() == {"StatefulSet", "Service", "ServiceAccount", "NetworkPolicy"}
    assert manifests(VALUES["bare"]).keys() == {"StatefulSet", "Service"}
    assert len(manifests(VALUES["everything"])) == 7


def test_the_pod_may_little():
    spec = manifests({})["StatefulSet"]["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    assert spec["replicas"] == 1
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    # The user of the image.
    user = re.search(r"^USER (\d+):(\d+)$", (INFRA / "Dockerfile").read_text(), re.M)
    security = pod["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (int(user[1]), int(user[2]), int(user[2]))
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}
    assert container["resources"]["limits"]["memory"] == "4Gi"
    version = re.search(r'^version = "(.*)"$', (INFRA.parent / "Cargo.toml").read_text(), re.M)[1]
    assert container["image"] == f"matchcut:{version}"


def test_names_and_values_arrive():
    made = manifests(VALUES["everything"])
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example.com/matchcut@sha256:" + "0" * 64
    assert container["args"][-2:] == ["--public-url", "https://matchcut.example.com"]
    keys = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
    assert keys == {
        "MATCHCUT_ADMIN_ACCESS_KEY_ID": {"name": "first-key", "key": "accessKeyId"},
        "MATCHCUT_ADMIN_SECRET_ACCESS_KEY": {"name": "first-key", "key": "secretAccessKey"},
    }
    assert pod["serviceAccountName"] == made["ServiceAccount"]["metadata"]["name"] == "events"
    [claim] = made["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"
    [rule] = made["Ingress"]["spec"]["rules"]
    paths = [path["path"] for path in rule["http"]["paths"]]
    assert paths == ["/api", "/controlplane", "/dataplane", "/"]
    selector = made["StatefulSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= made["StatefulSet"]["spec"]["template"]["metadata"]["labels"].items()
    for found in (
        made["Service"]["spec"]["selector"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        made["ServiceMonitor"]["spec"]["selector"]["matchLabels"],
    ):
        assert found == selector
    assert manifests({}, name="matchcut")["Service"]["metadata"]["name"] == "matchcut"
    assert len(manifests({}, name="c" * 53)["StatefulSet"]["metadata"]["name"]) <= 52


def test_prometheus_is_told_what_dashboards_and_alerts_look_for():
    made = manifests(VALUES["everything"])
    alerts = yaml.safe_load((INFRA / "prometheus/alerts.yml").read_text())
    assert made["PrometheusRule"]["spec"] == alerts
    assert 'up{job="matchcut"}' in (INFRA / "prometheus/alerts.yml").read_text()
    monitor = made["ServiceMonitor"]["spec"]
    assert made["Service"]["metadata"]["labels"][monitor["jobLabel"]] == "matchcut"
    [endpoint] = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in made["Service"]["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"


@pytest.mark.parametrize(
    "values, said",
    [
        ({"replicas": 2}, "replicas"),
        ({"maxEvents": "two"}, "maxEvents"),
        ({"image": {"digest": "sha256:12"}}, "digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"publicUrl": "matchcut.example.com"}, "publicUrl"),
        ({"extraArgs": ["--insecure-loopback"]}, "extraArgs"),
        ({"persistence": {"size": "much"}}, "size"),
        ({"persistence": {"accessModes": ["ReadWriteMany"]}}, "accessModes"),
        ({"service": {"port": 70000}}, "port"),
        ({"ingress": {"enabled": True}}, "host"),
        ({"serviceMonitor": {"interval": "often"}}, "interval"),
        ({"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"),
        ({"adminKey": {"secretAccessKey": "s"}}, "adminKey"),
    ],
)
def test_wrong_values_are_refused(values, said):
    done = helm("template", "cup", CHART, "--kube-version", "1.36", values=values)
    assert done.returncode != 0 and said in done.stderr.split("schema", 1)[1]


def test_what_the_pod_starts_answers_its_probes(matchcut, tmp_path):
    [container] = manifests({})["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    places = {"0.0.0.0:8080": "127.0.0.1:0", "/data/service": str(tmp_path / "service")}
    command = [matchcut, *(places.get(part, part) for part in container["args"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                path = container[probe]["httpGet"]["path"]
                with urllib.request.urlopen(url + path, timeout=5) as answer:
                    assert answer.status == 200
        finally:
            process.terminate()
    assert process.returncode == 0
