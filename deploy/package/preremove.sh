#!/bin/sh
# On removal, not on an update: stop what runs. Data and secrets stay.
set -e
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now messenger.service secure-messenger.target 'messenger-*' 2> /dev/null || true
	fi
	;;
esac
