#!/bin/busybox sh
# The only program of the guest: loads the drivers, makes every disk and network card do DMA, and says READY.
# /wanted holds the number of disks to wait for; /modules holds the modules in an order in which they load.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/console 2>&1 </dev/null

# Linux leaves this off in small machines. A buffer that is one huge page can become one block in the SMMU's tables.
echo always >/sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null

failed() {
  echo "FAILED: $1"
  poweroff -f
}

for module in $(ls /modules 2>/dev/null); do
  insmod "/modules/$module" || failed "the kernel refuses the module $module"
done

# Whole disks: nvme0n1, vda. A path to one, such as nvme0c0n1, is left out.
disks() {
  ls /sys/block | grep -E '^(nvme[0-9]+n1|vd[a-z])$'
}
wanted=$(cat /wanted)
tries=0
while [ "$(disks | wc -l)" -lt "$wanted" ]; do
  tries=$((tries + 1))
  [ "$tries" -gt 300 ] && failed "$(disks | wc -l) of $wanted disks appeared"
  usleep 100000
done

forever() {
  while :; do "$@" >/dev/null 2>&1 || usleep 100000; done
}

# Direct reads and writes of several sizes. A request that is one huge page lets the driver map a block instead of pages.
huge=$(cat /sys/kernel/mm/transparent_hugepage/hpage_pmd_size 2>/dev/null || echo 2097152)
for disk in $(disks); do
  echo $((huge / 1024)) >"/sys/block/$disk/queue/max_sectors_kb" 2>/dev/null
  forever dd "if=/dev/$disk" of=/dev/null bs=4k count=4096 iflag=direct &
  forever dd "if=/dev/$disk" of=/dev/null bs=72k count=1024 iflag=direct &
  forever dd "if=/dev/$disk" of=/dev/null "bs=$huge" count=64 iflag=direct &
  forever dd if=/dev/zero "of=/dev/$disk" bs=20k count=1024 oflag=direct &
  forever dd if=/dev/zero "of=/dev/$disk" "bs=$huge" count=64 oflag=direct &
done

# A card that is up hands its receive buffers to the device. Each asks for an address, and the others hear it.
for card in $(ls /sys/class/net | grep -v '^lo$'); do
  ip link set "$card" up
  forever udhcpc -n -q -t 3 -T 1 -i "$card" -s /bin/true &
done

# Each disk has moved data in both directions before this is said.
for disk in $(disks); do
  dd "if=/dev/$disk" of=/dev/null bs=4k count=20 iflag=direct >/dev/null 2>&1 || failed "$disk cannot be read"
  dd if=/dev/zero "of=/dev/$disk" bs=4k count=10 oflag=direct >/dev/null 2>&1 || failed "$disk cannot be written"
done
echo READY
while :; do sleep 3600; done
