#!/usr/bin/env bash
# Builds, packs and checks every file of a release, on Debian 12 (x86-64):
#
#   packages/release.sh VERSION                    everything, into target/dist/VERSION
#   packages/release.sh --of-the-tree              the same, with the version that Cargo.toml says
#   packages/release.sh VERSION --out FOLDER       elsewhere
#   packages/release.sh VERSION --only TARGET      one target of packages/release/targets.toml; may be repeated
#   packages/release.sh VERSION --extension-only   without the command, which takes most of the time
#
# The tree must be clean. As root it installs the Debian packages that are missing; pinned tools from PyPI go into
# `release-tools` under the Cargo target directory, what is compiled into `release-build`. Two runs on one commit give the
# same bytes. RELEASE_STEP=NAME runs one step of packages/release/__main__.py, in a tree that need not be clean.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
tools=$target/release-tools
rust_version=1.96.0

fail() { echo "release: $*" >&2; exit 1; }

# Debian's newer Rust has the sources of its library, so that it compiles for every target.
debian_packages() {
  local wanted=() package
  for package in rustc-web cargo-web rust-web-src gcc libc6-dev git lld-22 llvm-22 gcc-mingw-w64-x86-64 qemu-user libc6-arm64-cross \
    libc6-riscv64-cross musl wine wine64 python3-venv dpkg; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
  done
  command -v npm >/dev/null || wanted+=(nodejs npm)
  command -v javac >/dev/null || wanted+=(default-jdk-headless)
  command -v mvn >/dev/null || wanted+=(maven)
  [ ${#wanted[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "Debian packages are missing, and this is not root: apt-get install ${wanted[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

# What the linker has to know of macOS: the symbols of its system library, which zig has for newer variants of ARM64, and of
# the one framework that the command uses, to ask for the time zone.
macos_sdk() {
  local name
  mkdir -p "$tools/macos/usr/lib" "$tools/macos/System/Library"
  for name in System c m; do
    sed -z -E 's/,[[:space:]]*arm64e\.x1-[a-z]+//g; s/arm64e/arm64/g' "$1" >"$tools/macos/usr/lib/lib$name.tbd"
  done
  cp -r packages/release/frameworks "$tools/macos/System/Library/Frameworks"
}

# A folder of programs by the names that the compilers look for.
pinned_tools() {
  local lists=(packages/release/requirements.txt packages/release/requirements-build.txt) stamp zig program
  stamp=$(cat "${lists[@]}" packages/release.sh | cksum)
  [ "$(cat "$tools/stamp" 2>/dev/null)" != "$stamp" ] || return 0
  rm -rf "$tools"
  mkdir -p "$tools/bin"
  /usr/bin/python3 -m venv "$tools/venv"
  "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "${lists[0]}" -r "${lists[1]}"
  zig=$("$tools/venv/bin/python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')
  ln -s "$zig/zig" "$tools/venv/bin/cargo-zigbuild" "$tools/bin"
  for program in rust-objcopy:llvm-objcopy llvm-lipo:llvm-lipo ld64.lld:ld64.lld; do
    ln -s "/usr/bin/${program#*:}-22" "$tools/bin/${program%:*}"
  done
  macos_sdk "$zig/lib/libc/darwin/libSystem.tbd"
  echo "$stamp" >"$tools/stamp"
}

if [ "${1:-}" = --of-the-tree ]; then
  set -- "$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)" "${@:2}"
fi
[ $# -ge 1 ] && [ "${1#-}" = "$1" ] || { echo "usage: packages/release.sh VERSION [--out FOLDER] [--only TARGET]..." >&2; exit 2; }
version=$1
shift
[ "$(uname -sm)" = "Linux x86_64" ] || fail "a release is built on Debian 12, x86-64"
[ -n "${RELEASE_STEP:-}" ] || [ -z "$(git status --porcelain)" ] || fail "the tree is not clean: commit or remove what git status shows"
debian_packages
[ "$(/usr/bin/rustc --version | cut -d ' ' -f 2)" = $rust_version ] ||
  fail "/usr/bin/rustc is $(/usr/bin/rustc --version), expected $rust_version: set rust_version to the new one"
pinned_tools
exec "$tools/venv/bin/python" packages/release "${RELEASE_STEP:-all}" \
  --version "$version" --work "$target/release-build" --out "$target/dist/$version" "$@"
