#!/bin/sh
# Writes requirements.txt anew: what setup.cfg asks for, as the newest versions of today, each with its hashes.
# Run it in a virtual environment of Python 3.11 with pip-tools, and look at the difference before committing it.
set -eu
cd "$(dirname "$0")/.."
compile() {
	pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file - "$@"
}
{
	echo "# What the services run on, made by lock.sh. Read by deploy/Dockerfile and deploy/package/stage.sh."
	compile setup.cfg
	# redis-py asks for it below Python 3.11.3 (Debian 12 has 3.11.2), and pip-compile sees one Python only.
	echo async-timeout | compile - | sed 's/^\(async-timeout==[^ ]*\)/\1 ; python_full_version < "3.11.3"/'
} > deploy/requirements.new
{
	echo "# What builds the wheel, made by lock.sh. Not in the image."
	echo "setuptools" | compile -
} > deploy/requirements-build.new
{
	echo "# The engines of \`twist messenger\`, made by lock.sh. Not in the image."
	sed -n '/^embedded =/,/^[^ ]/s/^    //p' setup.cfg | compile --no-reuse-hashes -
} > deploy/requirements-embedded.new
mv deploy/requirements.new deploy/requirements.txt
mv deploy/requirements-embedded.new deploy/requirements-embedded.txt
mv deploy/requirements-build.new deploy/requirements-build.txt
