#!/bin/sh
# Makes the secrets that the services need, each in a file of its own, mode 0600. What is there is never touched,
# so it may be run again at any time.
#
#     deploy/make-secrets.sh          for Compose: ./secrets, and ./.env with the user who may read them
#     deploy/make-secrets.sh DIR      for Kubernetes, systemd and others: in DIR, and nothing else
#
# Whoever has these files has the server. Losing them loses it too: put a copy where your backups are.
set -eu
umask 077

if [ $# -gt 1 ] || [ "${1-}" = --help ]; then
	sed -n '2,8s/^# \{0,1\}//p' "$0"
	exit 2
fi
dir=${1:-secrets}
mkdir -p "$dir"

# NAME [LENGTH]: that many characters. The first is a letter, and the rest hexadecimal: NATS reads a value as it
# reads its configuration, where 12e34 would be a number.
secret() {
	if [ -e "$dir/$1" ]; then
		echo "kept $dir/$1"
		return
	fi
	half=$((${2:-64} / 2))
	value=m$(od -An -v -tx1 -N"$half" /dev/urandom | tr -d ' \n' | cut -c2-)
	[ ${#value} -eq $((half * 2)) ] || {
		echo "make-secrets.sh: no random bytes to be had" >&2
		exit 1
	}
	# Written whole or not at all: a half-written secret would be kept the next time.
	printf '%s' "$value" > "$dir/.$1.$$"
	ln "$dir/.$1.$$" "$dir/$1"
	rm "$dir/.$1.$$"
	echo "made $dir/$1"
}

secret postgres_password       # of the administrator, who makes the roles below
secret auth_database_password
secret key_database_password
secret message_database_password
secret file_database_password
secret nats_password
secret redis_password
secret s3_access_key 20
secret s3_secret_key
secret signing_secret          # encrypts the keys that sign access tokens
secret pepper                  # goes into each password's hash

if [ $# -eq 0 ]; then
	user=$(id -u) group=$(id -g)
	if [ "$user" -eq 0 ]; then # the services never run as root
		user=10001 group=10001
		chown "$user:$group" "$dir" "$dir"/*
	fi
	if [ -e .env ]; then
		echo "kept .env"
	else
		sed "s/^MESSENGER_UID=.*/MESSENGER_UID=$user/; s/^MESSENGER_GID=.*/MESSENGER_GID=$group/" \
			"$(dirname "$0")/compose/env" > .env
		echo "made .env"
	fi
fi
