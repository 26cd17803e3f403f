#!/bin/sh
# Make requirements.lock: what pip resolves today, in a fresh environment, for all that a reader or an author needs.
# torch is kept at the version of the present lock (TORCH=x.y.z changes it), without a local label such as +cpu.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
torch=${TORCH:-$(sed -n 's/^torch==//p' requirements.lock)}

"${PYTHON:-python3.11}" -m venv "$scratch"
pip="$scratch/bin/python -m pip --disable-pip-version-check"
$pip install --quiet "torch==$torch" setuptools
$pip install --quiet --no-build-isolation --editable '.[book,test,privacy,compression,audit,cluster,bench,dev]'
{
    echo "# Exact versions of everything, made by \`make lock\`: pip freeze of a fresh environment of Python 3.11 with"
    echo "# all extras. Do not edit by hand; environment.yml agrees with it and a test says so."
    $pip freeze --all --exclude pip --exclude-editable | sed 's/^\(torch==[^+]*\)+.*/\1/'
} >"$scratch/new.lock"
mv "$scratch/new.lock" requirements.lock
echo "lock: $(grep -c == requirements.lock) versions"
