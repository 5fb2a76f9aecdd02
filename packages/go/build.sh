#!/usr/bin/env bash
# OUT gets the Go module, with the library of each platform of VECRANK_NATIVES (without it, of this one) embedded. A platform
# is named as Go names it: linux_amd64. The library for musl, linux_amd64_musl, is embedded with `go build -tags musl`.
set -euo pipefail
out=$1
cp -r "$(dirname "$0")/vecrank/." "$VECRANK_ROOT"/LICENSE-* "$out"
elsewhere=()

# Embeds a library, named first, for the platform named second.
embed() {
  local suffix=.${1##*.} platform=$2 os arch libc
  IFS=_ read -r os arch libc <<<"$platform"
  local constraint="$os && $arch"
  [ "$os" != linux ] || constraint+=" && ${libc:-!musl}"
  cp "$1" "$out/vecrank_$platform$suffix"
  elsewhere+=("!($constraint)")
  # The name must not end in _linux_amd64 or the like: the constraint says it all.
  cat >"$out/embedded_${platform}_library.go" <<END
//go:build $constraint

package vecrank

import _ "embed"

//go:embed vecrank_$platform$suffix
var library []byte

const suffix = "$suffix"
END
}

if [ -n "${VECRANK_NATIVES:-}" ]; then
  for folder in "$VECRANK_NATIVES"/*; do embed "$(echo "$folder"/*)" "$(basename "$folder")"; done
else
  embed "$VECRANK_LIBRARY" "$(go env GOOS)_$(go env GOARCH)"
fi
cat >"$out/embedded_elsewhere.go" <<END
//go:build $(printf '%s\n' "${elsewhere[@]}" | sed ':a;N;$!ba;s/\n/ \&\& /g')

package vecrank

var library []byte

const suffix = ""
END
sed "s/@VERSION@/$VECRANK_VERSION/" >"$out/version.go" <<'END'
package vecrank

// Version is the version of this package and of the extension in it.
const Version = "@VERSION@"
END
