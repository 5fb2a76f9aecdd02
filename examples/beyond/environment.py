"""What the examples share: where the library is, and an environment with pinned packages under the Cargo target directory."""
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("VECRANK_TARGET", os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))).resolve()
LIBRARY, COMMAND = TARGET / "release" / "libvecrank.so", TARGET / "release" / "vecrank"
CATALOGUE = ROOT / "examples" / "catalogue" / "catalogue.parquet"


def enter(name: str, pinned: list[str]) -> None:
    """Goes on in an environment that has these packages."""
    home = TARGET / "beyond" / name
    python, stamp = home / "bin" / "python", home / "installed"
    if not stamp.exists() or stamp.read_text().split() != pinned:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned], check=True)
        stamp.write_text("\n".join(pinned))
    if Path(sys.prefix) != home:
        os.execv(python, [str(python), *sys.argv])


def wait_for(what: str, is_so) -> None:
    """Until something is so. Minutes, for the machine may be busy."""
    end = time.monotonic() + 180
    while not is_so():
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.02)


def import_sample(file: Path) -> None:
    command = [COMMAND, "import", CATALOGUE, file, "--table", "articles", "--key", "article_id"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
