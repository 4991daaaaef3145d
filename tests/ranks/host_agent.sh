#!/bin/sh
# Stands in for ssh: `host_agent.sh [options] HOST COMMAND...` runs a command in the network namespace HOST, under that host name.
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host && exec sh -c \"\$0\"" "$*"
