#!/usr/bin/env bash
# OUT gets a Maven repository with the one artefact: the jar, which carries the library of this platform, and its pom.
set -euo pipefail
out=$1
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
cp -r "$(dirname "$0")/src" "$staged"
sed "s/@VERSION@/$VECRANK_VERSION/" "$(dirname "$0")/pom.xml" >"$staged/pom.xml"
resources=$staged/src/main/resources
# The folder's name is what Library.java makes of the properties os.name and os.arch.
platform=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m | sed 's/^arm64$/aarch64/')
mkdir -p "$resources/io/github/vecrank/$platform" "$resources/META-INF"
cp "$VECRANK_LIBRARY" "$resources/io/github/vecrank/$platform"
cp "$VECRANK_ROOT"/LICENSE-* "$resources/META-INF"
mvn --batch-mode --quiet --file "$staged/pom.xml" package
home=$out/io/github/vecrank/vecrank/$VECRANK_VERSION
mkdir -p "$home"
cp "$staged/target/vecrank-$VECRANK_VERSION.jar" "$home"
cp "$staged/pom.xml" "$home/vecrank-$VECRANK_VERSION.pom"
