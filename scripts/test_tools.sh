#!/usr/bin/env bash
# Debian packages that only tests need: a browser for the site page, Tesseract for its reader, PostgreSQL for the index.
set -euo pipefail
packages=()
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || packages+=(chromium)
command -v tesseract >/dev/null 2>&1 || packages+=(tesseract-ocr)
command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
[ ${#packages[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    printf 'missing for the tests: %s\n  get it: sudo apt-get install %s\n' "${packages[*]}" "${packages[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
command -v apt-get >/dev/null 2>&1 || { printf 'missing for the tests: %s\n' "${packages[*]}" >&2; exit 1; }
# Debian would start a server of the machine's own; the tests start theirs, in a folder that goes away with it.
defaults=/etc/postgresql-common/createcluster.d
no_server=$defaults/fedrx-tests.conf
if [[ " ${packages[*]} " == *" postgresql "* ]]; then
  "${as_root[@]}" mkdir -p "$defaults"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_server" >/dev/null
  trap '"${as_root[@]}" rm -f "$no_server"' EXIT
fi
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
