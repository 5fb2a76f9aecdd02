#!/usr/bin/env bash
# Builds the wheel of a Python package: of this folder, or of the one that is given second. packages/build.sh calls it,
# and says what is in the environment.
set -euo pipefail
# An environment with pip, kept beside what Cargo builds.
tools=${CARGO_TARGET_DIR:-$VECRANK_ROOT/target}/package-tests/pip
# A python3 in front of the system's may come without venv.
"$tools/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$tools" 2>/dev/null ||
  /usr/bin/python3 -m venv --clear "$tools"
# pip fetches hatchling, which pyproject.toml pins.
"$tools/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
  --wheel-dir "$1" "${2:-$VECRANK_ROOT/packages/python}"
