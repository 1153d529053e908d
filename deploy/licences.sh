#!/usr/bin/env bash
# Writes the licences of all third-party parts of the shipped program: crates, the Rust standard library, and, because
# the program is linked statically, the GNU C Library.
#
#   deploy/licences.sh THIRD-PARTY-LICENSES.txt
#
# Needs cargo-about (https://crates.io/crates/cargo-about), and Debian or Ubuntu with libc6-dev, whose licence files are
# those of the linked library.
set -euo pipefail

output=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly RUST_NOTICES=share/doc/rust/COPYRIGHT-library.html
readonly GLIBC_NOTICES=/usr/share/doc/libc6-dev/copyright
readonly LGPL=/usr/share/common-licenses/LGPL-2.1

# text_of FILE: prints the text of an HTML file, with repeated empty lines reduced to one.
text_of() {
  sed -E 's/<[^>]*>//g; s/^[[:space:]]+$//; s/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&#3[49];/'\''/g; s/&amp;/\&/g' "$1" |
    cat -s
}

sysroot=$(rustc --print sysroot)
for file in "$sysroot/$RUST_NOTICES" "$GLIBC_NOTICES" "$LGPL"; do
  [[ -s $file ]] || { echo "$0: $file is missing" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# With --fail, a crate without a licence text is an error instead of a gap.
(cd "$root" && cargo about generate --locked --all-features --fail deploy/licences.hbs --output-file "$work/crates")

{
  cat <<'END'
This program contains the software below. Each part is under its own licence; Détente itself is under the licence in the
file LICENSE.

The GNU C Library is linked statically. Its licence, the LGPL 2.1, lets you replace it: Détente's source and lock file
and the command in deploy/Containerfile build this program again with another version of the library. The source of the
library is Debian's or Ubuntu's package `glibc`. The parts of GCC's libgcc that the compiler adds are under the GPL 3
with the GCC Runtime Library Exception, which permits this use.

END
  cat "$work/crates"
  printf '\n# The Rust standard library\n\n'
  text_of "$sysroot/$RUST_NOTICES"
  printf '\n# The GNU C Library\n\n'
  cat "$GLIBC_NOTICES"
  printf '\n## GNU Lesser General Public License 2.1\n\n'
  cat "$LGPL"
} >"$output"
echo "$output: $(grep -c '^- ' "$work/crates") crates, $(wc -c <"$output") bytes"
