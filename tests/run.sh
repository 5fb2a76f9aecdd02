#!/usr/bin/env bash
# Runs every test and installs what the tests need: Debian packages when it is root and they are missing,
# Python packages into a virtual environment under the Cargo target directory.
#
#   tests/run.sh                 everything
#   tests/run.sh fmt clippy      only these steps: prepare fmt clippy build rust hosts zoo quickstart
#
# A step that fails doesn't stop the others; the run fails at the end and names it. Outside CI a host that can't be
# installed is left out, and said so; under CI (CI=true) that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
python_home=$target/python-hosts
old_apsw=(3.40.1.0 3.51.2.0 3.53.0.0)
failed=()

say() { printf '\n==> %s\n' "$*"; }

# Fails under CI, warns elsewhere.
missing() {
  echo "missing: $*" >&2
  [ "${CI:-}" != true ]
}

debian_packages() {
  command -v apt-get >/dev/null || return 0
  local wanted=() package
  for package in ca-certificates git gcc libc6-dev sqlite3 libsqlite3-0 python3 python3-venv unixodbc libsqliteodbc; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
  done
  command -v npm >/dev/null || wanted+=(nodejs npm)
  [ ${#wanted[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    missing "Debian packages ${wanted[*]} (not root: install them by hand)"
    return
  fi
  apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

python_requirements=(tests/hosts/python/requirements.txt examples/catalogue/requirements.txt importer/tests/zoo/requirements.txt)

# A virtual environment with the hosts, the zoo's writers and pytest, and beside it apsws with older SQLites.
python_packages() {
  local stamp list version requirements=()
  for list in "${python_requirements[@]}"; do requirements+=(-r "$list"); done
  stamp=$(cat "${python_requirements[@]}" <(echo "${old_apsw[@]}") <(python3 --version) | cksum)
  [ "$(cat "$python_home/stamp" 2>/dev/null)" = "$stamp" ] && return 0
  rm -rf "$python_home"
  mkdir -p "$python_home"
  # A python3 in front of Debian's may come without venv; Debian's has it by now.
  python3 -m venv "$python_home/venv" || /usr/bin/python3 -m venv --clear "$python_home/venv" || return 1
  "$python_home/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "${requirements[@]}" || return 1
  for version in "${old_apsw[@]}"; do
    "$python_home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
      --target "$python_home/apsw-$version" "apsw==$version" || missing "apsw $version" || return 1
  done
  echo "$stamp" >"$python_home/stamp"
}

# An ORM on Node, outside the source tree.
node_packages() {
  command -v npm >/dev/null || { missing npm; return; }
  mkdir -p "$target/node-hosts" && cp -r tests/hosts/node/. "$target/node-hosts" || return 1
  (cd "$target/node-hosts" && npm ci --silent) || missing "the packages of tests/hosts/node"
}

prepare() {
  command -v cargo >/dev/null || { echo "cargo is missing: install Rust (see README.md)" >&2; return 1; }
  cargo --version
  debian_packages && python_packages && node_packages
}

rusqlite_host=(--manifest-path tests/hosts/rusqlite/Cargo.toml)

fmt() {
  cargo fmt --all --check && cargo fmt "${rusqlite_host[@]}" --check
}

clippy() {
  cargo clippy --workspace --all-targets --quiet -- -D warnings &&
    cargo clippy "${rusqlite_host[@]}" --target-dir "$target/rusqlite-host" --quiet -- -D warnings
}

# What the hosts load is the release build, as people install it.
build() {
  cargo build --release --workspace --quiet &&
    cargo build --release --quiet "${rusqlite_host[@]}" --target-dir "$target/rusqlite-host"
}

rust() { cargo test --workspace; }

hosts() {
  VECRANK_TARGET=$target "$python_home/venv/bin/python" -m pytest tests/hosts/python -q -ra -p no:cacheprovider
}

# Parquet files of other writers, through the importer.
zoo() {
  VECRANK_TARGET=$target "$python_home/venv/bin/python" -m pytest importer/tests/zoo -q -ra -p no:cacheprovider
}

quickstart() { examples/quickstart.sh "$target/quickstart.db"; }

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(prepare fmt clippy build rust hosts zoo quickstart)
for step in "${steps[@]}"; do
  case $step in
    prepare | fmt | clippy | build | rust | hosts | zoo | quickstart) ;;
    *) echo "unknown step: $step" >&2; exit 2 ;;
  esac
done
for step in "${steps[@]}"; do
  say "$step"
  "$step" || failed+=("$step")
done
if [ ${#failed[@]} -gt 0 ]; then
  say "failed: ${failed[*]}"
  exit 1
fi
say "all steps passed: ${steps[*]}"
