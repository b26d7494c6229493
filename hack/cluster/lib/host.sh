# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# What the machine must offer: Debian's packages, and a kernel with the parts that a node needs.

# file that the package brings -> package
declare -A needed_packages=(
  [etcd]=etcd-server [containerd]=containerd [runc]=runc [/usr/lib/cni/ptp]=containernetworking-plugins
  [iptables]=iptables [nft]=nftables [ipset]=ipset [conntrack]=conntrack [ethtool]=ethtool [socat]=socat
  [ip]=iproute2 [mount]=mount [curl]=curl [openssl]=openssl [python3]=python3
)

is_there() { # name or absolute path
  if [[ $1 == /* ]]; then [[ -x $1 ]]; else PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; fi
}

missing_packages() {
  local file
  for file in "${!needed_packages[@]}"; do
    if ! is_there "$file"; then printf '%s\n' "${needed_packages[$file]}"; fi
  done | sort
}

# Debian starts etcd and containerd as they are installed; the node runs its own, in its own namespaces. A policy file
# is how Debian lets an administrator forbid that; one that is already there is left alone.
install_packages() {
  local missing policy=/usr/sbin/policy-rc.d made_policy=""
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    fail "these Debian packages (or what your system calls them) are missing: ${missing[*]}"
  [[ $EUID -eq 0 ]] || fail "missing packages: run 'sudo apt-get install --no-install-recommends ${missing[*]}'"
  progress "installing Debian packages: ${missing[*]}"
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=1
  fi
  local failed="" log
  log="$(mktemp)"
  # Where one of several sources cannot be read, the rest may do.
  {
    apt-get update || true
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null || failed=1
  if [[ $made_policy ]]; then rm -f "$policy"; fi
  if [[ $failed ]]; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "installing packages failed"
  fi
  rm -f "$log"
  # The policy kept them from starting now; this keeps them from starting at the next boot.
  if [[ -d /run/systemd/system ]]; then
    local package
    for package in "${missing[@]}"; do
      case "$package" in
        etcd-server) systemctl disable --quiet etcd ;;
        containerd) systemctl disable --quiet containerd ;;
      esac
    done
  fi
}

check_host() {
  [[ -d /sys/fs/cgroup ]] || fail "/sys/fs/cgroup is not mounted: control groups are needed"
  # Only where the kernel is built with modules; where they are built in, there is nothing to load.
  if command -v modprobe >/dev/null && [[ -e /proc/modules ]]; then
    modprobe --quiet --all overlay veth nf_tables nft_compat br_netfilter ip_set ip_set_hash_ip ip_set_hash_net xt_set xt_physdev || true
  fi
  grep -qw overlay /proc/filesystems || fail "the kernel has no overlay file system, which containers need"
  local free
  free="$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)"
  if ((free < 1500)); then progress "only $free MiB of memory are available; an idle node takes about 900"; fi
}
