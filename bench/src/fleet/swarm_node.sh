# dockerd on a host of a playground: PACKAGES RUN DATA INSIDE CGROUP, in a mount namespace that ends with it.
# Its /run is RUN, so that nothing of it comes to the machine's; the host's /sys has cgroup2 where dockerd looks.
set -eu
packages=$1 run=$2 data=$3 inside=$4 cgroup=$5
mkdir -p "$run/in" "$data"
mount --make-rprivate /
mount --bind "$inside" "$run/in"
mount --rbind "$run" /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export PATH=$packages/usr/bin:$packages/usr/sbin:$PATH
export LD_LIBRARY_PATH=$packages/usr/lib/$(uname -m)-linux-gnu
exec dockerd --data-root "$data" --exec-root /run/docker --pidfile /run/docker.pid --host unix:///run/docker.sock \
  --bridge none --iptables=false --cgroup-parent "$cgroup"
