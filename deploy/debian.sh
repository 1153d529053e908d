#!/usr/bin/env bash
# Packs a Debian package: the program, the systemd unit, completions and licences. Its installation does not start the
# server, which must be configured first (docs/operations.md: TLS, callers, scenarios).
#
#   deploy/debian.sh FOLDER ARCHITECTURE 'MAINTAINER <ADDRESS>' OUTPUT.deb
#
# FOLDER holds detente, LICENSE, THIRD-PARTY-LICENSES.txt, CHANGELOG.md and completions/detente.{bash,fish,zsh}.
set -euo pipefail

folder=$1 architecture=$2 maintainer=$3 output=$4
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
field() { sed -n "s/^$1 = \"\(.*\)\"$/\1/p" "$root/Cargo.toml" | head -n 1; }
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
chmod 0755 "$package"

install -D -m 0755 "$folder/detente" "$package/usr/bin/detente"
install -D -m 0644 -t "$package/usr/share/doc/detente" "$folder/LICENSE" "$folder/THIRD-PARTY-LICENSES.txt" \
  "$folder/CHANGELOG.md"
install -D -m 0644 "$folder/completions/detente.bash" "$package/usr/share/bash-completion/completions/detente"
install -D -m 0644 "$folder/completions/detente.fish" "$package/usr/share/fish/vendor_completions.d/detente.fish"
install -D -m 0644 "$folder/completions/detente.zsh" "$package/usr/share/zsh/vendor-completions/_detente"
# A package installs into /usr/bin; the unit in deploy/ names the path of a manual installation.
install -D -m 0644 "$root/deploy/systemd/detente.service" "$package/usr/lib/systemd/system/detente.service"
sed -i 's|/usr/local/bin/detente|/usr/bin/detente|g' "$package/usr/lib/systemd/system/detente.service"
grep -q '^ExecStart=/usr/bin/detente ' "$package/usr/lib/systemd/system/detente.service"

mkdir "$package/DEBIAN"
cat >"$package/DEBIAN/control" <<END
Package: detente
Version: $(field version)
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du --summarize --apparent-size --block-size=1024 "$package/usr" | cut -f 1)
Section: net
Priority: optional
Description: $(field description)
 A gRPC service and command line that holds a negotiation as data and reports
 whether a proposal crosses anyone's red line, whose, why, and who says so.
END
dpkg-deb --build --root-owner-group "$package" "$output"
