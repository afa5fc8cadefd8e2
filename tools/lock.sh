#!/bin/sh
# Renew requirements/*.txt: every package and its hashes, for all systems and Pythons at once, and without
# the address of any index. uv resolves for all systems; pip-compile only for the one it runs on.
set -eu

cd "$(dirname "$0")/.."
uv_version=0.13.8
tools=.run/lock
[ -x $tools/bin/uv ] || python3 -m venv $tools
$tools/bin/python -m pip install --quiet "uv==$uv_version"

lock() { # lock OUTPUT SOURCE [OPTIONS]
    output=requirements/$1.txt
    shift
    $tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header "$@" --output-file "$output" >/dev/null
    body=$(cat "$output")
    printf '# Locked with hashes. Made by `make lock`; do not edit.\n\n%s\n' "$body" >"$output"
    if grep -nE '://|file:|--(extra-)?index|--find-links' "$output"; then
        echo "lock: $output names an address" >&2
        exit 1
    fi
}

lock build requirements/build.in
lock runtime pyproject.toml
lock desktop pyproject.toml --extra desktop
lock dev pyproject.toml --extra desktop --extra dev
