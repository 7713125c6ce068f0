#!/usr/bin/env bash
# Debian packages that only tests need: a browser for the site page, Tesseract for its reader.
set -euo pipefail
packages=()
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || packages+=(chromium)
command -v tesseract >/dev/null 2>&1 || packages+=(tesseract-ocr)
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
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
