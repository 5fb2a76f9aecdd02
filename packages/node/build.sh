#!/usr/bin/env bash
# OUT gets two npm packages: vecrank, and @vecrank/PLATFORM with the library, on which vecrank depends optionally.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
cp -r "$here/vecrank" "$staged/vecrank"
node - "$staged" <<'END'
const { copyFileSync, mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const { basename, join } = require("node:path");

const { VECRANK_LIBRARY: library, VECRANK_ROOT: root, VECRANK_VERSION: version } = process.env;
const { arch, platform } = process;
const main = join(process.argv[2], "vecrank");
const native = join(process.argv[2], "native");
const name = `@vecrank/${platform}-${arch}`;
const manifest = JSON.parse(readFileSync(join(main, "package.json"), "utf8"));
const { license, repository } = manifest;
const write = (folder, content) => writeFileSync(join(folder, "package.json"), JSON.stringify(content, null, 2));

write(main, { ...manifest, version, optionalDependencies: { [name]: version } });
mkdirSync(native);
copyFileSync(library, join(native, basename(library)));
const description = `The library of vecrank for ${platform} on ${arch}`;
write(native, { name, version, description, license, repository, os: [platform], cpu: [arch], files: [basename(library)] });
for (const folder of [main, native]) {
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, file), join(folder, file));
}
END
for folder in vecrank native; do
  (cd "$staged/$folder" && npm pack --silent --pack-destination "$out" >/dev/null)
done
