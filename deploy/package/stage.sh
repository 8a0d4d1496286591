#!/bin/sh
# Installs below DESTDIR what a machine with systemd needs, as a package would: programs in /opt/secure-messenger,
# units, a configuration, the user. `build.sh` makes a package of that; with `/` as DESTDIR (as root) it is an
# installation without one.
#
#     deploy/package/stage.sh DESTDIR
#
# PYTHON (/usr/bin/python3 if not given) is what the programs will run on: it must be there on the machine too, in
# the same version, and have `venv`. EMBEDDED=no leaves out the engines of `twist messenger`.
set -eu
[ $# -eq 1 ] || {
	sed -n '2,9s/^# \{0,1\}//p' "$0"
	exit 2
}
case $1 in /*) dest=${1%/} ;; *) dest=$PWD/$1 ;; esac
python=${PYTHON:-/usr/bin/python3}
prefix=/opt/secure-messenger
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
locks="-r deploy/requirements.txt"
[ "${EMBEDDED:-yes}" = no ] || locks="$locks -r deploy/requirements-embedded.txt"

# As in deploy/Dockerfile: what the locks have the hashes of, and nothing else.
"$python" -m venv "$work/build"
pip="$work/build/bin/python -m pip --quiet --disable-pip-version-check"
$pip install --require-hashes -r deploy/requirements-build.txt
# shellcheck disable=SC2086
$pip wheel --require-hashes --no-deps --no-build-isolation -w "$work/wheels" $locks
mkdir "$work/src"
cp -R messenger twisted pyproject.toml setup.cfg README.md LICENSE "$work/src"
$pip wheel --no-deps --no-build-isolation -w "$work/wheels" "$work/src"

rm -rf "$dest$prefix"
"$python" -m venv --without-pip "$dest$prefix"
$pip --python "$dest$prefix/bin/python" install --no-index --no-deps --no-compile "$work"/wheels/*.whl
"$dest$prefix/bin/python" -B -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
"$dest$prefix/bin/python" -m compileall -q -s "$dest" -p / "$dest$prefix/lib" || true # some ship bad samples

# An environment knows where it was made, in the first line of each script.
rm -f "$dest$prefix"/bin/activate* "$dest$prefix"/bin/Activate*
sed -i '/^command = /d' "$dest$prefix/pyvenv.cfg"
for script in "$dest$prefix"/bin/*; do
	[ -L "$script" ] || [ "$(head -c 2 "$script")" != '#!' ] || sed -i "1s|^#!.*|#!$prefix/bin/python|" "$script"
done

put() { # MODE FILE TARGET
	install -D -m "$1" "$2" "$dest$3"
}
for unit in deploy/systemd/*.service deploy/systemd/*.socket deploy/systemd/*.target \
	deploy/systemd/messenger-.service.d/*.conf; do
	put 644 "$unit" "/usr/lib/systemd/system/${unit#deploy/systemd/}"
done
put 644 deploy/systemd/secure-messenger.sysusers /usr/lib/sysusers.d/secure-messenger.conf
[ -e "$dest/etc/messenger/messenger.toml" ] || put 644 deploy/systemd/messenger.toml /etc/messenger/messenger.toml
put 644 etc/messenger.toml /usr/share/doc/secure-messenger/messenger.toml
put 644 docs/install-systemd.md /usr/share/doc/secure-messenger/install-systemd.md
put 644 LICENSE /usr/share/doc/secure-messenger/copyright
put 755 deploy/make-secrets.sh "$prefix/share/make-secrets.sh"
install -d "$dest/usr/bin"
for program in messenger-admin messenger-health; do
	ln -sf "$prefix/bin/$program" "$dest/usr/bin/$program"
done
