#!/usr/bin/env bash
# OUT gets the Go module, with the library of this platform embedded.
set -euo pipefail
out=$1
cp -r "$(dirname "$0")/vecrank/." "$VECRANK_ROOT"/LICENSE-* "$out"
os=$(go env GOOS) arch=$(go env GOARCH)
suffix=.${VECRANK_LIBRARY##*.}
cp "$VECRANK_LIBRARY" "$out/vecrank_${os}_$arch$suffix"
cat >"$out/embedded_${os}_$arch.go" <<END
package vecrank

import _ "embed"

//go:embed vecrank_${os}_$arch$suffix
var library []byte

const suffix = "$suffix"
END
cat >"$out/embedded_elsewhere.go" <<END
//go:build !($os && $arch)

package vecrank

var library []byte

const suffix = ""
END
sed "s/@VERSION@/$VECRANK_VERSION/" >"$out/version.go" <<'END'
package vecrank

// Version is the version of this package and of the extension in it.
const Version = "@VERSION@"
END
