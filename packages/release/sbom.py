"""The bills of materials: the crates that are compiled into the extension and into the command, in CycloneDX."""
import json
import tomllib
import uuid
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from plan import ROOT, Failed, Release, Target, run


def write(release: Release, packed: list[Target], folder: Path) -> None:
    """One bill for each of the two programs, over the targets that have it."""
    folder.mkdir()
    compiled = [target.triple for target in packed if target.builder != "lipo"]
    bills = {"vecrank": compiled}
    commands = [target.triple for target in packed if release.command(target).exists()]
    if commands:
        bills["vecrank-importer"] = commands
    for crate, triples in bills.items():
        path = folder / f"{crate}-{release.version}.cdx.json"
        path.write_text(as_json(bill(release, crate, triples)), "utf8")


def as_json(bom: Bom) -> str:
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong:
        raise Failed(f"the bill of materials is not valid: {wrong}")
    return text


def bill(release: Release, crate: str, triples: list[str]) -> Bom:
    components: dict[str, Component] = {}
    links: dict[str, set[str]] = {}
    for triple in triples:
        add_crates_of(crate, triple, components, links)
    root = next(component for component in components.values() if component.name == crate)
    moment = datetime.fromtimestamp(release.epoch, timezone.utc)
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{root.purl}#{release.commit}"),
        metadata=BomMetaData(component=root, timestamp=moment),
        components=[component for component in components.values() if component is not root],
    )
    for identity, needed in links.items():
        bom.register_dependency(components[identity], [components[other] for other in sorted(needed)])
    return bom


def add_crates_of(crate: str, triple: str, components: dict, links: dict) -> None:
    """Follows the dependencies that end up in the program; those of build scripts and of tests don't."""
    said = run("cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={triple}", cwd=ROOT)
    metadata = json.loads(said)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [identity for identity, package in packages.items() if package["name"] == crate]
    seen = set(waiting)
    while waiting:
        identity = waiting.pop()
        components.setdefault(identity, component_of(packages[identity], crate))
        needed = {
            dependency["pkg"]
            for dependency in nodes[identity]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        }
        links.setdefault(identity, set()).update(needed)
        waiting += sorted(needed - seen)
        seen |= needed


def component_of(package: dict, root: str) -> Component:
    name, version = package["name"], package["version"]
    checksum = checksums().get((name, version))
    is_program = name == root and name != "vecrank"
    license_text = (package["license"] or "").replace("/", " OR ")
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION if is_program else ComponentType.LIBRARY,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("cargo", None, name, version),
        licenses=[LicenseFactory().make_from_string(license_text)] if license_text else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )


@cache
def checksums() -> dict:
    """The hashes of the crates' archives, by name and version."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text("utf8"))["package"]
    return {(package["name"], package["version"]): package["checksum"] for package in packages if "checksum" in package}
