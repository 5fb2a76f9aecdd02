"""examples/service/Dockerfile, step by step, in roots made by debootstrap: VECRANK_LONG=1, as root, with debootstrap.

No Docker engine is needed. A stage starts from a copy of its image's root; RUN runs in it, COPY copies into it, and CMD
starts the service as the stage's user, with its environment, in a root that is mounted read-only. Two things differ from
Docker: the base images are Debian's minbase instead of the registry's, and the stage with the Rust compiler is not run,
but gets the release build that is here.
"""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import COMMAND, LIBRARY, ROOT, need
from service import SOURCE, Service, by_sql, vector, wait_until

LIKED = ["A00018", "A00982"]
# How this machine reaches the network, which Docker would see to.
NETWORK = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt", "usr/local/share/ca-certificates")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (SOURCE / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


class Stage:
    def __init__(self, root: Path, folder: str = "/"):
        self.root, self.folder, self.user = root, folder, "0:0"
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
        self.command: list[str] = []

    def chroot(self) -> list:
        # As Docker does, a command starts in the stage's folder.
        return ["chroot", f"--userspec={self.user}", self.root, "sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", self.folder]

    def run(self, script: str) -> None:
        more = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))} | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            [*self.chroot(), "sh", "-c", script], env=self.environment | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"RUN {script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def path(self, name: str) -> Path:
        return self.root / os.path.join(self.folder, name).lstrip("/")

    def copy(self, sources: list[Path], to: str) -> None:
        target = self.path(to)
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                if to.endswith("/") or len(sources) > 1:
                    target.mkdir(parents=True, exist_ok=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / source.name if target.is_dir() else target)


def build(base: Path, folder: Path) -> dict[str, Stage]:
    stages: dict[str, Stage] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            image, _, name = rest.split()
            root = folder / name
            if image.startswith("debian:"):
                subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
            else:
                # The build stage: its COPY and RUN are those of the release build that is here.
                (root / "source" / "target" / "release").mkdir(parents=True)
                for built in (COMMAND, LIBRARY):
                    shutil.copy(built, root / "source" / "target" / "release")
            stages[name] = Stage(root)
        stage = stages[name]
        if word == "WORKDIR":
            stage.folder = rest
            stage.path(".").mkdir(parents=True, exist_ok=True)
        elif name == "build":
            continue
        elif word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            words = rest.split()
            from_root = stages[words.pop(0).removeprefix("--from=")].root if words[0].startswith("--from=") else ROOT
            *sources, to = words
            stage.copy([from_root / source.lstrip("/") for source in sources], to)
        elif word == "ENV":
            stage.environment |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "USER":
            stage.user = rest
        elif word == "CMD":
            stage.command = json.loads(rest)
        else:
            assert word in ("FROM", "EXPOSE"), f"{word} is not known to this test"
    return stages


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    need("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs root")
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base"
    mirrors = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"], capture_output=True, text=True, check=True)
    mirror = next(line.split()[0] for line in mirrors.stdout.splitlines() if line.endswith(" bookworm"))
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", base, mirror], check=True, stdout=subprocess.DEVNULL)
    for name in NETWORK:
        if Path("/", name).exists():
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-rT", Path("/", name), base / name], check=True)
    yield build(base, folder)
    shutil.rmtree(folder, ignore_errors=True)


class Container(Service):
    """The service of a stage, as its user, in a read-only root."""

    def __init__(self, stage: Stage, folder: Path, port: int):
        self.root = folder / "root"
        self.root.mkdir()
        subprocess.run(["mount", "--bind", stage.root, self.root], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", self.root], check=True)
        self.log, self.port = folder / "log", port
        self.url = f"http://127.0.0.1:{port}"
        program = ["chroot", f"--userspec={stage.user}", self.root, *stage.command]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(program, env=stage.environment | {"PORT": str(port)}, stderr=log)
        wait_until("the service listens", lambda: "serving" in self.said() or self.process.poll() is not None)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        subprocess.run(["umount", self.root], check=True)


@pytest.mark.parametrize("name", ["python", "serve"])
def test_the_steps_of_the_dockerfile_make_a_service_that_runs_read_only_and_not_as_root(stages, name, tmp_path):
    stage = stages[name]
    container = Container(stage, tmp_path, 18_000 + os.getpid() % 1000)
    try:
        assert container.process.poll() is None, container.said()
        file = stage.root / "srv" / "feed.db"
        sql = "SELECT article_id FROM articles WHERE embedding MATCH ? AND article_id NOT IN (?, ?) ORDER BY distance LIMIT 20"
        wanted = [key for (key,) in by_sql(file, sql, vector(file, *LIKED).tobytes(), *LIKED)]
        assert [row["article_id"] for row in container.feed(liked=LIKED)["rows"]] == wanted
        assert container.get("/health")["status"] == "ok"
        assert container.ask("GET", "/")[0] == 200
        status = Path(f"/proc/{container.process.pid}/status").read_text()
        assert re.search(r"^Uid:\s+65534\s+65534", status, re.MULTILINE)
        container.process.send_signal(signal.SIGTERM)
        assert container.process.wait(60) == 0, container.said()
    finally:
        container.close()
