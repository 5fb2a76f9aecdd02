#!/usr/bin/env bash
# OUT gets a Maven repository with the one artefact: its pom, and the jar, which carries the library of each platform of
# VECRANK_NATIVES (without it, of this one). A platform is named as Library.java names it: linux-x86_64.
set -euo pipefail
out=$1
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
cp -r "$(dirname "$0")/src" "$staged"
sed "s/@VERSION@/$VECRANK_VERSION/" "$(dirname "$0")/pom.xml" >"$staged/pom.xml"
resources=$staged/src/main/resources
libraries=$resources/io/github/vecrank
mkdir -p "$libraries" "$resources/META-INF"
if [ -n "${VECRANK_NATIVES:-}" ]; then
  cp -rL "$VECRANK_NATIVES/." "$libraries"
else
  platform=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m | sed 's/^arm64$/aarch64/')
  mkdir "$libraries/$platform"
  cp "$VECRANK_LIBRARY" "$libraries/$platform"
fi
cp "$VECRANK_ROOT"/LICENSE-* "$resources/META-INF"
# With the time of the commit, two builds give the same jar.
mvn --batch-mode --quiet --file "$staged/pom.xml" \
  ${SOURCE_DATE_EPOCH:+"-Dproject.build.outputTimestamp=$SOURCE_DATE_EPOCH"} package
home=$out/io/github/vecrank/vecrank/$VECRANK_VERSION
mkdir -p "$home"
cp "$staged/target/vecrank-$VECRANK_VERSION.jar" "$home"
cp "$staged/pom.xml" "$home/vecrank-$VECRANK_VERSION.pom"
