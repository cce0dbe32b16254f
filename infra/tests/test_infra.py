"""What stands in infra/, judged by those who know its formats: hadolint, the Compose specification, Grafana's own
types and systemd. Prometheus judges its part in tests/e2e/dashboards.rs."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest
import yaml
from compose_spec import PyCompose
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

INFRA = pathlib.Path(__file__).resolve().parent.parent
ROOT = INFRA.parent
COMPOSE = (INFRA / "compose.yml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
DOCKERFILE = (INFRA / "Dockerfile").read_text()
UNIT = (INFRA / "systemd/matchcut.service").read_text()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def test_hadolint_finds_nothing():
    hadolint = pathlib.Path(sys.executable).with_name("hadolint")
    done = run(hadolint, INFRA / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    # It would have found something.
    bad = subprocess.run([hadolint, "-"], input="FROM debian\n", capture_output=True, text=True)
    assert "DL3006" in bad.stdout


def test_the_image_runs_as_nobody_special_and_says_how_it_is():
    _, runtime = DOCKERFILE.split("FROM debian:")
    assert re.search(r"^USER 10001:10001$", runtime, re.M)
    assert re.search(r'^ENTRYPOINT \["matchcut"\]$', runtime, re.M)
    assert "/healthz" in re.search(r"^ENV HEALTH_URL=(.*)$", runtime, re.M)[1]
    assert "HEALTH_URL" in runtime.split("HEALTHCHECK")[1]
    rust = re.search(r"^FROM rust:(\d+\.\d+)\.\d+-bookworm AS build$", DOCKERFILE, re.M)[1]
    assert f'rust-version = "{rust}"' in (ROOT / "Cargo.toml").read_text()


def test_the_image_has_the_plugins_that_a_machine_for_building_has():
    packages = (ROOT / "scripts/packages.txt").read_text()
    plugins = set(re.findall(r"^build +(gstreamer1\.0-(?:plugins-\w+|libav))$", packages, re.M))
    assert len(plugins) == 5
    named = set(DOCKERFILE.split("FROM debian:")[1].split())
    assert plugins <= named
    assert {"tesseract-ocr", "tesseract-ocr-eng", "ca-certificates"} <= named


def read_compose(text):
    # What Docker takes for the address of the machine, and the library does not know.
    compose = PyCompose.from_yaml(text.replace(":host-gateway", ":172.17.0.1"))
    compose.validate()
    return compose


def test_the_compose_file_is_one():
    assert set(read_compose(COMPOSE).services) == set(SERVICES)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("restart: unless-stopped", "restart: sometimes"),
        ("read_only: true", "readonly: true"),
        ("127.0.0.1:8080:8080", "127.0.0.1:eighty:8080"),
        ("- source: s3", "- source: s4"),
        ("condition: service_healthy", "condition: well"),
    ],
)
def test_a_compose_file_with_a_mistake_is_none(right, wrong):
    assert right in COMPOSE
    with pytest.raises(ValueError):
        read_compose(COMPOSE.replace(right, wrong))


def test_containers_are_known_exactly_and_reached_from_this_machine_alone():
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?", service["image"]), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert SERVICES["matchcut"]["image"] == f"matchcut:{version}"


def test_what_is_mounted_is_there_and_cannot_be_written():
    volumes = yaml.safe_load(COMPOSE)["volumes"]
    mounted = 0
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("./"):
                assert (INFRA / source).exists() and mode == ["ro"], f"{name}: {volume}"
                mounted += 1
            else:
                assert source in volumes, f"{name}: {volume}"
    assert mounted == 5
    provider = yaml.safe_load((INFRA / "grafana/provisioning/dashboards/matchcut.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in SERVICES["grafana"]["volumes"]
    source = yaml.safe_load((INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text())
    variable = source["datasources"][0]["url"].removeprefix("${").removesuffix("}")
    assert SERVICES["grafana"]["environment"][variable] == "http://prometheus:9090"


def test_targets_are_read_as_prometheus_reads_them():
    for path in [*INFRA.glob("prometheus/targets/*.yml"), *INFRA.glob("prometheus/compose/*.yml")]:
        for group in yaml.safe_load(path.read_text()):
            for target in group["targets"]:
                assert re.fullmatch(r"[\w.-]+:\d+", target), path
    pace = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    source = yaml.safe_load((INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["jsonData"]["timeInterval"] == pace


def test_the_broker_is_of_the_version_that_tests_run():
    pom = xml.parse(INFRA / "kafka/pom.xml")
    names = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = pom.find("m:dependencies/m:dependency/m:version", names).text
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


@pytest.mark.parametrize("name", ["event", "fleet", "pipeline"])
def test_grafana_knows_everything_in_a_dashboard(name):
    plugins.register_default_plugins()
    told = json.loads((INFRA / f"grafana/dashboards/{name}.json").read_text())
    understood = json.loads(json.dumps(Dashboard.from_json(told), cls=JSONEncoder))
    # Grafana writes it for variables, and its types forget it.
    for variable in told["templating"]["list"]:
        variable.pop("definition", None)
    assert list(lost(told, understood)) == []


def lost(told, understood, path=""):
    """What is not there any more, or is something else."""
    if isinstance(told, dict) and isinstance(understood, dict):
        for key, value in told.items():
            yield from lost(value, understood.get(key), f"{path}/{key}")
    elif isinstance(told, list) and isinstance(understood, list) and len(told) == len(understood):
        for index, value in enumerate(told):
            yield from lost(value, understood[index], f"{path}/{index}")
    elif told != understood:
        yield f"{path}: {told}"


needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


@pytest.fixture
def unit(tmp_path):
    """The unit with a program that is there."""
    path = tmp_path / "matchcut.service"
    path.write_text(UNIT.replace("/usr/local/bin/matchcut", "/bin/true"))
    return path


@needs_systemd
def test_systemd_takes_the_unit(unit):
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in run("systemd-analyze", "verify", unit).stderr


@needs_systemd
def test_the_unit_is_closed_but_for_what_it_needs(unit):
    # In tenths: 0 is closed, 100 is open.
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout
