"""A PostgreSQL server for one test run, on a socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_USER = "fairlead"
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; its socket lies in `folder`."""

    folder: Path
    programs: Path

    def url(self, database: str) -> str:
        """The database URL of one of its databases."""
        return f"postgresql+asyncpg://{_USER}@/{database}?host={self.folder}"

    def create(self, database: str, *, template: str = "template0") -> None:
        """Make a database, a copy of `template`."""
        options = ("-h", str(self.folder), "-U", _USER, "-T", template)
        _run(str(self.programs / "createdb"), *options, database)

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        _run(*self._control, "-l", str(self.folder / "log"), "start")

    def crash(self) -> None:
        """Stop the server in the middle of whatever it does; the next start recovers."""
        _run(*self._control, "-m", "immediate", "stop")

    @property
    def _control(self) -> tuple[str, ...]:
        data = str(self.folder / "data")
        return (*_as_server(), str(self.programs / "pg_ctl"), "-D", data, "-w", "-t", "180")


@contextmanager
def running_cluster(*, fsync: bool = False) -> Iterator[Cluster]:
    """Start a throw-away server, stop and remove it at the end. Fails when there is none.

    Without `fsync` what it holds does not survive a power cut, and the disk is not waited for.
    """
    folder = Path(tempfile.mkdtemp(prefix="fairlead-pg-"))
    cluster = Cluster(folder, _programs())
    data = str(folder / "data")
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED)
    try:
        initdb = str(cluster.programs / "initdb")
        _run(*_as_server(), initdb, "-D", data, "-U", _USER, "--auth=trust", "-E", "UTF8")
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{folder}'",
            "fsync": "on" if fsync else "off",
        }
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_server() -> tuple[str, ...]:
    # The server refuses to run as root.
    return ("runuser", "-u", _UNPRIVILEGED, "--") if os.geteuid() == 0 else ()


def _programs() -> Path:
    listed = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    return Path(listed.stdout.strip())


def _run(*command: str) -> None:
    # pg_ctl leaves the server behind with our pipes: it gets none.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(command, stdout=said, stderr=said, cwd="/", check=False)
        said.seek(0)
        assert done.returncode == 0, said.read().decode()
