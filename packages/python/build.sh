#!/usr/bin/env bash
# Builds the wheel of a Python package: of this folder, or of the one that is given second. packages/build.sh calls it,
# and says what is in the environment.
set -euo pipefail
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# A python3 in front of the system's may come without venv.
python3 -m venv "$tools" 2>/dev/null || /usr/bin/python3 -m venv --clear "$tools"
# pip fetches hatchling, which pyproject.toml pins.
"$tools/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
  --wheel-dir "$1" "${2:-$VECRANK_ROOT/packages/python}"
