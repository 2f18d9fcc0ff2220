#!/bin/sh
# Runs in the appliance, without the world outside: the clock may run free. Each `mark` line is an instant that the rig
# reads the ticks at.
mark() { echo "mark $1"; }
fail() { echo "mark failed $1"; cat /tmp/skepd.log; exit 1; }

/usr/sbin/skepd >/tmp/skepd.log 2>&1 &
until grep -q 'API ready' /tmp/skepd.log; do
    sleep 1
done
fingerprint=$(sed -n 's/^skepd: certificate SHA-256 fingerprint: //p' /tmp/skepd.log)
token=$(sed -n 's/^skepd: one-time token: //p' /tmp/skepd.log)
skep login 127.0.0.1:8443 --fingerprint "$fingerprint" --token "$token" || fail login
skep image upload kernel /root/vmlinuz || fail upload
skep image upload initrd /root/initrd || fail upload
skep vm create a --memory 256M --kernel kernel --initrd initrd --append "$1" --disk disk0=16M || fail create
mark start
skep vm start a || fail start
skep vm console a --until 'count 1 ' >/dev/null || fail console
mark counting
skep vm console a --until 'count 10 ' >/dev/null || fail console
mark save
skep snapshot save a s --stop || fail save
mark saved
skep vm delete a || fail delete
mark restore
skep snapshot restore s b || fail restore
mark restored
skep vm console b --until 'ram ok' >/dev/null || fail console
mark goes-on
