#!/bin/sh
# Set up a virtual environment from requirements.lock: install.sh FOLDER [TORCH_INDEX]
#
# torch comes first and may come from an index of its own, TORCH_INDEX, so that a reader without a GPU avoids CUDA's
# gigabytes. Can be repeated; the file FOLDER/.installed tells make that all went well.
set -eu

venv=$1
torch_index=${2:-}
log=$venv/install.log

die() {
    echo "install: $*" >&2
    exit 1
}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for name in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if usable "$name"; then
            echo "$name"
            return
        fi
    done
    die "Python 3.11 or newer is needed; found $("${PYTHON:-python3}" --version 2>&1 || echo none) (PYTHON=/path/to/python make install)"
}

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --retries 2 "$@" >>"$log" 2>&1 ||
        die "pip could not install the locked versions: $(reason)"
}

reason() {
    if grep -qiE 'NewConnectionError|NameResolution|Temporary failure|Network is unreachable|timed out|ProxyError|ConnectionError' "$log"; then
        echo "no network; details in $log"
    else
        echo "$(grep -m1 '^ERROR' "$log" | cut -c1-160); details in $log"
    fi
}

python=$(find_python)
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "$python cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)"

echo "install: $("$python" --version) into $venv"
usable "$venv/bin/python" || "$python" -m venv --clear "$venv" || die "could not create $venv"
: >"$log"

echo "install: torch, about a minute, or several where it comes with CUDA"
torch=$(grep '^torch==' requirements.lock)
pip_install ${torch_index:+--index-url "$torch_index"} "$torch"

echo "install: everything else, about two minutes"
pip_install --requirement requirements.lock

echo "install: the library longtail, from lib/"
pip_install --no-deps --no-build-isolation --editable .
touch "$venv/.installed"
