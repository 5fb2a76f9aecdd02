#!/usr/bin/env bash
# Publishes what packages/release.sh made under target/dist/VERSION, or with --dry-run tries it without sending anything:
#
#   packages/publish.sh crates|npm|pypi|github [--dry-run]
#
# Each place needs one token: CARGO_REGISTRY_TOKEN, NODE_AUTH_TOKEN (or npm's own settings), TWINE_PASSWORD, GH_TOKEN.
# Maven Central and the module of Go need more than a token: CONTRIBUTING.md, "A release".
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in crates | npm | pypi | github) ;; *) echo "usage: packages/publish.sh crates|npm|pypi|github [--dry-run]" >&2; exit 2 ;; esac
target=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
dist=${VECRANK_DIST:-$target/dist/$version}
dry=${2:-}

# The importer is built against the crate of the extension, which goes first.
crates() { cargo publish --locked --workspace --exclude vecrank-tests --exclude vecrank-c ${dry:+--dry-run --no-verify --allow-dirty}; }

# The platforms go before the package that depends on them.
npm() {
  local file
  for file in "$dist"/npm/vecrank-[a-z]*.tgz "$dist/npm/vecrank-$version.tgz"; do
    command npm publish --access public ${dry:+--dry-run --tag dry-run} "$file"
  done
}

# Without a token to upload with, twine reads the files as the index will.
pypi() {
  local tools=$target/release-tools/publish
  [ -x "$tools/bin/twine" ] || python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep '^twine==' packages/release/requirements.txt)"
  if [ -n "$dry" ]; then
    "$tools/bin/python" -m twine check --strict "$dist"/pypi/*
  else
    TWINE_USERNAME=__token__ "$tools/bin/python" -m twine upload --non-interactive "$dist"/pypi/*
  fi
}

github() {
  ${dry:+echo} gh release create "v$version" --title "vecrank $version" --notes "See CHANGELOG.md." --verify-tag \
    "$dist"/archives/* "$dist"/debian/* "$dist"/sbom/* "$dist/SHA256SUMS"
}

"$1"
