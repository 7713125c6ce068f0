#!/usr/bin/env bash
# Names every system tool that is missing, with the way to get it.
set -u
python=${PYTHON:-python3}
missing=0
need() { # condition, what, how
  if ! eval "$1" >/dev/null 2>&1; then
    printf 'missing: %s\n  get it: %s\n' "$2" "$3" >&2
    missing=1
  fi
}
need "[ \"\$(uname -s)\" = Linux ]" "Linux" "FedRx runs on Linux (a virtual machine or WSL 2 will do)"
need "$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'" "Python 3.11 or newer" "apt-get install python3 python3-venv, or name one: make PYTHON=python3.11 …"
need "$python -m venv --help" "Python's venv" "apt-get install python3-venv"
need "node -e 'process.exit(Number(process.versions.node.split(\".\")[0]) >= 20 ? 0 : 1)'" "Node.js 20 or newer (for the local chain)" "apt-get install nodejs npm, or your distribution's Node.js 20 package"
need "command -v npm" "npm" "apt-get install npm"
need "command -v git" "git" "apt-get install git"
if ! command -v tesseract >/dev/null 2>&1; then
  printf 'optional: Tesseract, for sites that set engine = "tesseract"\n  get it: apt-get install tesseract-ocr\n' >&2
fi
exit $missing
