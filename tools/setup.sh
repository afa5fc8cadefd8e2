#!/bin/sh
# Make .venv/ ready: Python packages exactly as locked in requirements/, and the system libraries that
# they need. Done once per state of the lock; the second run only compares a hash.
set -eu

cd "$(dirname "$0")/.."
export LC_ALL=C

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

stamp=.venv/ready-$(cat requirements/*.txt pyproject.toml tools/setup.sh | cksum | tr ' ' '-')
[ -f "$stamp" ] && [ -x .venv/bin/python ] && exit 0

# --- Python ------------------------------------------------------------------------------------------
# The tested versions first, then whatever is newer. BITCLOUD_PYTHON overrides.
suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
tested() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

python=
for name in ${BITCLOUD_PYTHON:-python3 python3.11 python3.12 python3.13}; do
    if tested "$name"; then python=$name && break; fi
done
if [ -z "$python" ]; then
    for name in ${BITCLOUD_PYTHON:-python3 python3.14 python3.15}; do
        if suits "$name"; then python=$name && break; fi
    done
fi
[ -n "$python" ] || fail "Python 3.11 or newer was not found. Install it (on Debian or Ubuntu:" \
    "apt-get install python3 python3-venv python3-dev), or name it: BITCLOUD_PYTHON=/path/to/python make setup"

# --- system libraries --------------------------------------------------------------------------------
# Looked for by what they provide, so that this works on any distribution; installed by Debian's names.
missing=
need() { missing="$missing $1"; }

has_header() { printf '#include <%s>\n' "$1" | "$compiler" $2 -E -x c - >/dev/null 2>&1; }

compiler=$(command -v cc || command -v gcc || command -v clang || true)
[ -n "$compiler" ] || { need gcc; need libc6-dev; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$include/Python.h" ] || need python3-dev
if [ "$(uname)" = Darwin ]; then
    brew=$(brew --prefix 2>/dev/null || echo /usr/local)
    export CFLAGS="${CFLAGS:-} -I$brew/include" LDFLAGS="${LDFLAGS:-} -L$brew/lib"
fi
if [ -n "$compiler" ]; then has_header gmp.h "${CFLAGS:-}" || need libgmp-dev; else need libgmp-dev; fi

# What PySide6-Essentials loads (and the fonts it draws with).
qt_libraries="libEGL.so.1=libegl1 libGL.so.1=libgl1 libglib-2.0.so.0=libglib2.0-0 libdbus-1.so.3=libdbus-1-3
libfontconfig.so.1=libfontconfig1 libfreetype.so.6=libfreetype6 libgssapi_krb5.so.2=libgssapi-krb5-2
libxkbcommon.so.0=libxkbcommon0 libxkbcommon-x11.so.0=libxkbcommon-x11-0 libX11.so.6=libx11-6
libX11-xcb.so.1=libx11-xcb1 libXext.so.6=libxext6 libXrender.so.1=libxrender1
libxcb-cursor.so.0=libxcb-cursor0 libxcb-icccm.so.4=libxcb-icccm4 libxcb-image.so.0=libxcb-image0
libxcb-keysyms.so.1=libxcb-keysyms1 libxcb-randr.so.0=libxcb-randr0
libxcb-render-util.so.0=libxcb-render-util0 libxcb-shape.so.0=libxcb-shape0 libxcb-shm.so.0=libxcb-shm0
libxcb-sync.so.1=libxcb-sync1 libxcb-util.so.1=libxcb-util1 libxcb-xfixes.so.0=libxcb-xfixes0
libxcb-xkb.so.1=libxcb-xkb1 libwayland-client.so.0=libwayland-client0
libwayland-cursor.so.0=libwayland-cursor0 libwayland-egl.so.1=libwayland-egl1"
wished=
if [ "$(uname)" = Linux ]; then
    known=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null || true)
    present() { case "$known" in *"$1 "*) true ;; *) false ;; esac }
    for pair in $qt_libraries; do present "${pair%%=*}" || need "${pair#*=}"; done
    [ -d /usr/share/fonts/truetype ] || need fonts-dejavu-core
    present libisal.so.2 || wished="$wished libisal2" # 15 to 30 times faster erasure coding
fi

as_root=
if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
may_install() {
    command -v apt-get >/dev/null && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }
}
if [ -n "$missing$wished" ] && may_install; then
    say "installing$missing$wished"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq >&2 || say "apt-get update failed; trying with the lists at hand"
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # a list of words
        $as_root apt-get install -y -qq --no-install-recommends $missing >&2 ||
            fail "apt-get could not install$missing; install them and run this again"
    fi
    # shellcheck disable=SC2086
    [ -z "$wished" ] || $as_root apt-get install -y -qq --no-install-recommends $wished >&2 ||
        say "without$wished (optional)"
elif [ "$(uname)" = Darwin ] && [ -n "$missing" ]; then
    fail "please install: gmp and the command line tools (brew install gmp; xcode-select --install)"
elif [ -n "$missing" ]; then
    fail "please install these system packages first (Debian's names): sudo apt-get install$missing"
fi

# --- Python packages ---------------------------------------------------------------------------------
say "making .venv with $("$python" --version)"
[ -x .venv/bin/python ] && suits .venv/bin/python || "$python" -m venv --clear .venv
install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" >&2; }

# Build tools come from the lock as well. On a Python newer than the tested ones a few packages have to
# be built from source with tools of their own.
isolation=--no-build-isolation
tested .venv/bin/python || isolation=
install --require-hashes -r requirements/build.txt
# shellcheck disable=SC2086 # may be empty
install --require-hashes $isolation -r requirements/dev.txt
install --quiet --no-build-isolation --no-deps --editable .

rm -f .venv/ready-*
: >"$stamp"
say "ready"
