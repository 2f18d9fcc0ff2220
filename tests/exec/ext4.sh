# By path: busybox has a smaller mke2fs of its own. The time, the identity and the hash seed are given, so that nothing differs between two machines.
set -e
export E2FSPROGS_FAKE_TIME=1700000000
make() {
    /usr/sbin/mke2fs -q -F -t ext4 -U 01234567-89ab-cdef-0123-456789abcdef -E hash_seed=01234567-89ab-cdef-0123-456789abcdef,lazy_itable_init=0 "$@"
}
make image 32M
sha256sum < image
/usr/sbin/e2fsck -fn image 2>/dev/null | tail -1
mkdir tree tree/folder
echo hello > tree/folder/file
ln -s folder/file tree/link
chmod 644 tree/folder/file
chmod 755 tree tree/folder
make -b 1024 -O ^has_journal -N 100 small 2M
/usr/sbin/e2fsck -fp small
# A damaged bitmap is found (status 4), repaired (status 1), and gone (status 0).
dd if=/dev/zero of=small bs=1024 seek=18 count=1 conv=notrunc 2>/dev/null
/usr/sbin/e2fsck -fn small > /dev/null 2>&1 || echo "found: $?"
/usr/sbin/e2fsck -fy small > /dev/null 2>&1 || echo "repaired: $?"
/usr/sbin/e2fsck -fn small > /dev/null 2>&1 && echo "clean"
