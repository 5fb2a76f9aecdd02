"""Archives that depend on nothing but the names and contents of their files, and on one time."""
import gzip
import io
import tarfile
import time
import zipfile
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def mode_of(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def tar_gz(folder: Path, archive: Path, epoch: int) -> None:
    """Packs a folder under its own name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in files_below(folder):
            entry = tarfile.TarInfo(str(Path(folder.name) / path.relative_to(folder)))
            entry.size, entry.mode, entry.mtime = path.stat().st_size, mode_of(path), epoch
            with path.open("rb") as content:
                tar.addfile(entry, content)
    with archive.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=epoch) as compressed:
        compressed.write(packed.getvalue())


def zipped(folder: Path, archive: Path, epoch: int) -> None:
    """Packs a folder under its own name."""
    moment = time.gmtime(epoch)[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zip_file:
        for path in files_below(folder):
            entry = zipfile.ZipInfo(str(Path(folder.name) / path.relative_to(folder)), moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, (0o100000 | mode_of(path)) << 16
            zip_file.writestr(entry, path.read_bytes())
