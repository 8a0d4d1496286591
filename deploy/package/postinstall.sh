#!/bin/sh
# The user, and the units known. Nothing is started: which of the two ways it is to be, the administrator says.
set -e
systemd-sysusers secure-messenger.conf || exit 1
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
