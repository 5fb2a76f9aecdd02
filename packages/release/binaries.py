"""Checks the compiled files: their format, what they export and import, and that no path of this machine is in them."""
import hashlib
import struct
from pathlib import Path

import lief

from plan import ROOT, UNIVERSAL_PARTS, Failed, Release, Target, run

LARGEST_LIBRARY = int(2.5 * (1 << 20))
ENTRY = "sqlite3_vecrank_init"
# The libraries that every system of a kind has, by how their names start. Any other would have to be installed first.
PRESENT = {
    "linux-gnu": ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-"),
    "linux-musl": ("libc.so",),
    "apple-darwin": ("/usr/lib/libSystem.B.dylib", "/System/Library/Frameworks/CoreFoundation.framework/", "@rpath/libvecrank.dylib"),
    "windows": ("kernel32.dll", "ntdll.dll", "msvcrt.dll", "api-ms-win-", "bcryptprimitives.dll", "ws2_32.dll", "userenv.dll", "advapi32.dll", "shell32.dll"),
    "freebsd": ("libc.so.7", "libm.so.5", "libthr.so.3", "librt.so.1", "libutil.so.9", "libexecinfo.so.1", "libgcc_s.so.1", "ld-elf.so.1"),
}
# Format and machine, as LIEF names them.
MACHINES = {
    "x86_64-unknown-linux": ("ELF", "X86_64"),
    "aarch64-unknown-linux": ("ELF", "AARCH64"),
    "riscv64gc-unknown-linux": ("ELF", "RISCV"),
    "x86_64-unknown-freebsd": ("ELF", "X86_64"),
    "x86_64-apple": ("MACHO", "X86_64"),
    "aarch64-apple": ("MACHO", "ARM64"),
    "x86_64-pc-windows": ("PE", "AMD64"),
    "aarch64-pc-windows": ("PE", "ARM64"),
}


def check_target(release: Release, target: Target) -> None:
    """Fails with the name of the target and what is wrong."""
    library, command = release.library(target), release.command(target)
    wrong = []
    if target.builder == "static":
        wrong += static(target, library)
    elif target.builder == "lipo":
        wrong += universal(release, target)
    else:
        if library.stat().st_size > LARGEST_LIBRARY:
            wrong.append(f"{library.name} has {library.stat().st_size} bytes, at most {LARGEST_LIBRARY} are allowed")
        wrong += linked(target, library, is_library=True)
        wrong += linked(target, command, is_library=False) if target.command else []
    for path in (library, command):
        wrong += told(release, path) if path.exists() else []
    if wrong:
        raise Failed("".join(f"{target.triple}: {line}\n" for line in wrong))


def told(release: Release, path: Path) -> list[str]:
    """A file says its commit, and nothing of the machine that built it."""
    content = path.read_bytes()
    private = [place for place in (str(ROOT), str(release.work), str(Path.home())) if place.encode() in content]
    return [f"{path.name} has the path {place}" for place in private] + (
        [] if release.commit.encode() in content else [f"{path.name} does not have the commit {release.commit}"]
    )


def static(target: Target, library: Path) -> list[str]:
    symbols = run("/usr/bin/llvm-nm-22", "--extern-only", "--defined-only", library, cwd=library.parent)
    return [] if ENTRY in symbols else [f"{library.name} does not define {ENTRY}"]


def universal(release: Release, target: Target) -> list[str]:
    """Both files are in it as they are, so what holds for them holds here."""
    content = release.library(target).read_bytes()
    parts = [release.library(target).parents[1] / triple / "libvecrank.dylib" for triple in UNIVERSAL_PARTS]
    return [f"it does not hold {part.parent.name}" for part in parts if part.read_bytes() not in content]


def linked(target: Target, path: Path, is_library: bool) -> list[str]:
    binary = lief.parse(str(path))
    if binary is None:
        return [f"{path.name} is no program or library"]
    system = next(name for name in PRESENT if name in target.triple)
    machine = next(pair for name, pair in MACHINES.items() if target.triple.startswith(name))
    is_macho = machine[0] == "MACHO"
    names = [str(getattr(library, "name", library)) for library in getattr(binary, "libraries", None) or binary.imports]
    header = binary.header
    found = (binary.format.name, getattr(header, "machine_type", None) or getattr(header, "machine", None) or header.cpu_type)
    wrong = []
    if (found[0], found[1].name) != machine:
        wrong.append(f"{path.name} is {found[0]} for {found[1].name}, expected {machine}")
    wrong += [f"{path.name} needs {name}" for name in names if not name.lower().startswith(tuple(map(str.lower, PRESENT[system])))]
    if is_library:
        exported = {symbol.name.lstrip("_") if is_macho else symbol.name for symbol in binary.exported_functions}
        if exported != {ENTRY}:
            wrong.append(f"{path.name} exports {len(exported)} symbols such as {min(exported, default=None)}, expected {ENTRY} alone")
    if system == "linux-gnu":
        wrong += newer_glibc(target, binary)
    if is_macho:
        wrong += old_enough(target, binary) + signed(path)
    return wrong


def newer_glibc(target: Target, binary) -> list[str]:
    """Symbols of a glibc that is newer than the one that the target names."""
    oldest = [int(part) for part in target.suffix.strip(".").split(".")]
    versions = set()
    for symbol in binary.dynamic_symbols:
        auxiliary = symbol.symbol_version.symbol_version_auxiliary if symbol.has_version else None
        if auxiliary and auxiliary.name.startswith("GLIBC_2"):
            versions.add(auxiliary.name)
    return [f"it needs {name}" for name in versions if [int(part) for part in name[6:].split(".")] > oldest]


def old_enough(target: Target, binary) -> list[str]:
    minimum = list((binary.build_version.minos if binary.has_build_version else binary.version_min.version)[:2])
    allowed = [int(part) for part in target.suffix.split(".")]
    return [] if minimum <= allowed else [f"it asks for macOS {minimum}, expected {allowed} or older"]


def signed(path: Path) -> list[str]:
    """macOS on ARM ends a process that loads code whose pages do not have the hashes of its signature."""
    content = path.read_bytes()
    binary = lief.parse(str(path))
    if not binary.has_code_signature:
        return [f"{path.name} is not signed"] if path.parent.name.startswith("aarch64") else []
    start = binary.code_signature.data_offset
    # A SuperBlob, whose first part of type 0 is the CodeDirectory. All numbers are big-endian.
    count = struct.unpack_from(">I", content, start + 8)[0]
    parts = [struct.unpack_from(">II", content, start + 12 + 8 * number) for number in range(count)]
    directory = start + next(offset for kind, offset in parts if kind == 0)
    hashes, slots, limit = struct.unpack_from(">I8xII", content, directory + 16)[0], *struct.unpack_from(">II", content, directory + 28)
    size, kind, page = content[directory + 36], content[directory + 37], 1 << content[directory + 39]
    if kind != 2 or size != 32 or limit != start:
        return [f"{path.name}: the signature is of kind {kind} and covers {limit} of {start} bytes"]
    for slot in range(slots):
        digest = hashlib.sha256(content[slot * page : min((slot + 1) * page, limit)]).digest()
        at = directory + hashes + slot * size
        if content[at : at + size] != digest:
            return [f"{path.name}: page {slot} does not have the hash of the signature"]
    return []
