"""Puts the library and the command, which packages/build.sh built, into the wheel, and names its platform."""
import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class Carry(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        # Without a given platform the builder's own, since the library may use all that the builder's libc has. On Linux the
        # newest tag that names a libc: an index takes no wheel for "linux".
        own = (tag for tag in platform_tags() if not tag.startswith("linux_"))
        build_data["tag"] = f"py3-none-{os.environ.get('VECRANK_WHEEL') or next(own)}"
        build_data["pure_python"] = False
        library, command = (Path(os.environ[name]) for name in ("VECRANK_LIBRARY", "VECRANK_COMMAND"))
        build_data["force_include"] = {str(library): f"vecrank/{library.name}"}
        # Not every platform has a command.
        if command.exists():
            build_data["force_include"][str(command)] = f"vecrank/bin/{command.name}"
