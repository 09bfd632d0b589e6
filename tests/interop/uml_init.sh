#!/bin/sh
# Init of the guest kernel: file systems, the modules of IPsec, then the agent on the first serial line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run
# The agent's file lies beside this one; $0 is its path on the host, which a mount below may hide.
agent=$(cat "${0%/*}/uml_agent.py")
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp

mkdir -p /run/root/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/root/lib/modules/$(uname -r)"
modprobe -d /run/root -a xfrm_user esp4 esp6 xfrm4_tunnel xfrm6_tunnel gcm ccm ctr ghash-generic seqiv echainiv \
	cryptomgr drbg jitterentropy_rng authenc authencesn cbc ecb hmac sha512_generic crypto_null des_generic af_packet
# Whatever is not here now is not there: a new SA must not wait for a search.
echo > /proc/sys/kernel/modprobe

ip link set lo up
exec /usr/bin/python3 -S -E -c "$agent"
