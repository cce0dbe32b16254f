"""Files of an event, over a network that breaks."""

import os
import pathlib

import pytest
from matchcut_client import Client, ConnectionFailed, NotFound
from support import Network, Service, Source, spec

BIG = "replays/best/best.mp4"


@pytest.fixture(scope="module", autouse=True)
def event(service: Service) -> None:
    from support import KEY, SECRET

    source = Source()
    with Client(service.url, KEY, SECRET) as client:
        client.events.create(spec(source.uri), id="files")
        client.events.wait_until("files", timeout=30)
    source.close()


def test_files_come_whole(service: Service, client: Client, tmp_path: pathlib.Path) -> None:
    whole = service.file("files", BIG).read_bytes()
    assert client.events.download("files", BIG, tmp_path) == tmp_path / "best.mp4"
    named = client.events.download("files", BIG, tmp_path / "named")
    assert named.read_bytes() == (tmp_path / "best.mp4").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.mp4", "named"]
    for path in ("none", ".matchcut/event.sqlite", "../../service.sqlite"):
        with pytest.raises(NotFound):
            client.events.download("files", path, tmp_path / "none")
    assert not (tmp_path / "none").exists() and not (tmp_path / "none.part").exists()


def test_a_broken_connection_is_gone_on_with(
    service: Service, far_client: Client, network: Network, tmp_path: pathlib.Path
) -> None:
    whole = service.file("files", BIG).read_bytes()
    network.most = len(whole) // 3
    to = far_client.events.download("files", BIG, tmp_path / "best.mp4", patience=20)
    assert to.read_bytes() == whole
    assert network.connections >= 3
    # Nothing came twice; some heads of answers came on top of it.
    assert network.told < len(whole) + 4000


def test_what_has_come_is_gone_on_with_at_the_next_call(
    service: Service, far_client: Client, network: Network, tmp_path: pathlib.Path
) -> None:
    whole = service.file("files", BIG).read_bytes()
    network.most = len(whole) // 2
    part = broken(far_client, network, tmp_path)
    assert 0 < part.stat().st_size < len(whole)
    network.most, network.told = None, 0
    to = far_client.events.download("files", BIG, tmp_path / "best.mp4")
    assert to.read_bytes() == whole and not part.exists()
    assert network.told < len(whole) * 0.7


@pytest.mark.parametrize("killed", [False, True])
def test_a_file_that_has_changed_is_fetched_anew(
    service: Service, far_client: Client, network: Network, tmp_path: pathlib.Path, killed: bool
) -> None:
    file = service.file("files", BIG)
    whole, stat = file.read_bytes(), file.stat()
    network.most = len(whole) // 2
    part = broken(far_client, network, tmp_path)
    other = whole[::-1]
    try:
        file.write_bytes(other)
        os.utime(file, (stat.st_atime, stat.st_mtime + 10))
        if killed:
            # Whoever was killed has left no time of the file.
            os.utime(part)
        network.most = None
        to = far_client.events.download("files", BIG, tmp_path / "best.mp4")
        assert to.read_bytes() == other
    finally:
        file.write_bytes(whole)
        os.utime(file, (stat.st_atime, stat.st_mtime))


def test_a_part_that_is_longer_than_the_file_is_fetched_anew(
    service: Service, client: Client, tmp_path: pathlib.Path
) -> None:
    file = service.file("files", BIG)
    part = tmp_path / "best.mp4.part"
    part.write_bytes(b"x" * (file.stat().st_size + 1))
    os.utime(part, (file.stat().st_mtime, int(file.stat().st_mtime)))
    assert client.events.download("files", BIG, tmp_path / "best.mp4").read_bytes() == file.read_bytes()


def broken(client: Client, network: Network, dir: pathlib.Path) -> pathlib.Path:
    """What is left when a download is given up."""
    with pytest.raises(ConnectionFailed):
        client.events.download("files", BIG, dir / "best.mp4", patience=0)
    return dir / "best.mp4.part"
