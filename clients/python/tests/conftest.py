"""A service, a source and a client for tests."""

import pathlib
import signal
from collections.abc import Iterator

import pytest
from matchcut_client import Client
from support import KEY, SECRET, Network, Service, Source, program


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that all tests share; each has events of its own."""
    yield from run(tmp_path_factory.mktemp("service"))


@pytest.fixture
def own_service(tmp_path: pathlib.Path) -> Iterator[Service]:
    """One that a test may kill."""
    yield from run(tmp_path)


def run(dir: pathlib.Path) -> Iterator[Service]:
    found = program()
    if found is None:
        pytest.skip("no matchcut here: cargo build, or say where it is with MATCHCUT_BIN")
    service = Service(found, dir)
    service.start()
    yield service
    service.end(signal.SIGKILL)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.close()


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, KEY, SECRET) as client:
        yield client


@pytest.fixture
def network(service: Service) -> Iterator[Network]:
    network = Network(service.port)
    yield network
    network.close()


@pytest.fixture
def far_client(network: Network) -> Iterator[Client]:
    """One that asks over the network that breaks."""
    with Client(network.url, KEY, SECRET) as client:
        yield client
