#!/bin/bash
# Boots hv with the self-test payload on QEMU (TCG, SVM): run-qemu.sh BUILD_DIR [CPUS [QEMU OPTIONS...]]
# The serial log is the output; exit status 0 if every test passed.
set -e
build=$1 cpus=${2:-1}
shift; shift || true
iso=$(mktemp -d)
trap 'rm -rf "$iso"' EXIT
mkdir -p "$iso/root/boot/grub"
objcopy --strip-debug "$build/hv/hv" "$iso/root/boot/hv"
objcopy --strip-debug "$build/hv/hv-selftest" "$iso/root/boot/kernel"
cat > "$iso/root/boot/grub/grub.cfg" <<CFG
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
menuentry hv {
    multiboot2 /boot/hv
    module2 /boot/kernel kernel some arguments
}
CFG
grub-mkrescue -o "$iso/hv.iso" "$iso/root" > "$iso/log" 2>&1 || { cat "$iso/log"; exit 1; }
status=0
timeout "${HV_TIMEOUT:-120}" qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt -M pc -m 512 -smp "$cpus" \
    -display none -serial stdio -cdrom "$iso/hv.iso" -no-reboot \
    -device isa-debug-exit,iobase=0xf4,iosize=1 "$@" < /dev/null || status=$?
[ "$status" = 33 ]
