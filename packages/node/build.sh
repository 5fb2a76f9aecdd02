#!/usr/bin/env bash
# OUT gets the npm packages: vecrank, and @vecrank/PLATFORM with the library for each platform of VECRANK_NATIVES (without
# it, for this one), on which vecrank depends optionally.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
cp -r "$here/vecrank" "$staged/vecrank"
node - "$staged" <<'END'
const { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } = require("node:fs");
const { basename, join } = require("node:path");

const { VECRANK_LIBRARY: library, VECRANK_NATIVES: natives, VECRANK_ROOT: root, VECRANK_VERSION: version } = process.env;
const main = join(process.argv[2], "vecrank");
const manifest = JSON.parse(readFileSync(join(main, "package.json"), "utf8"));
const { license, repository } = manifest;
const libraries = natives
  ? readdirSync(natives).sort().map((platform) => [platform, join(natives, platform, readdirSync(join(natives, platform))[0])])
  : [[`${process.platform}-${process.arch}`, library]];

function write(folder, content) {
  writeFileSync(join(folder, "package.json"), JSON.stringify(content, null, 2));
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, file), join(folder, file));
}

const optionalDependencies = Object.fromEntries(libraries.map(([platform]) => [`@vecrank/${platform}`, version]));
write(main, { ...manifest, version, optionalDependencies });
for (const [platform, path] of libraries) {
  const [os, cpu, libc] = platform.split("-");
  const hasTwin = libraries.some(([other]) => other === `${platform}-musl`);
  const libcs = libc ? { libc: [libc] } : hasTwin ? { libc: ["glibc"] } : {};
  const folder = join(process.argv[2], platform);
  mkdirSync(folder);
  copyFileSync(path, join(folder, basename(path)));
  const description = `The library of vecrank for ${platform.split("-").join(", ")}`;
  const files = [basename(path)];
  write(folder, { name: `@vecrank/${platform}`, version, description, license, repository, os: [os], cpu: [cpu], ...libcs, files });
}
END
for folder in "$staged"/*; do
  (cd "$folder" && npm pack --silent --pack-destination "$out" >/dev/null)
done
