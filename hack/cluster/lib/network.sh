# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# The one link between the machine and the node, and the addresses that follow from the cluster's slot.
#
# The link's name holds the slot and its alias the cluster: the kernel lets one name exist once, so making the link
# is what claims the slot, whoever else is starting a cluster at the same time.

last_slot=63

# shellcheck disable=SC2034 # lib/config.sh and others use them
use_slot() { # slot: sets the addresses
  slot="$1"
  link="rrk$slot"
  host_ip="10.89.$slot.1"
  node_ip="10.89.$slot.2"
  pod_cidr="10.90.$slot.0/24"
  service_cidr="10.91.$slot.0/24"
  api_service_ip="10.91.$slot.1"
  dns_ip="10.91.$slot.10"
}

link_alias() { printf 'reranker-operator/%s' "$cluster"; }

find_own_link() { # prints the name of this cluster's link, when there is one
  local file
  for file in /sys/class/net/rrk*/ifalias; do
    if [[ -f $file && "$(<"$file")" == "$(link_alias)" ]]; then basename "$(dirname "$file")"; fi
  done
}

networks_are_free() { # whether nothing but the default route leads to the slot's networks
  local address routes
  for address in "$node_ip" "10.90.$slot.1" "$api_service_ip"; do
    routes="$(ip -4 route show match "$address")"
    if [[ $routes && $routes != default* ]]; then return 1; fi
  done
}

claim_slot() {
  local candidate
  for ((candidate = 0; candidate <= last_slot; candidate++)); do
    use_slot "$candidate"
    if networks_are_free && ip link add "$link" type veth peer name "${link}n" 2>/dev/null; then
      ip link set "$link" alias "$(link_alias)"
      printf '%s\n' "$slot" >"$state/slot"
      return
    fi
  done
  fail "no free network: 10.89.N, 10.90.N and 10.91.N are routed elsewhere for every N from 0 to $last_slot"
}

# The `unreachable` routes are for the time when the link is gone: without them the default route would take what is
# meant for a pod out of the machine.
connect_node() { # pid of the node's first process
  ip link set "${link}n" netns "$1" name eth0
  ip address add "$host_ip/30" dev "$link"
  # No router advertisements or other autoconfiguration of IPv6 over this link.
  if [[ -d /proc/sys/net/ipv6 ]]; then echo 1 >"/proc/sys/net/ipv6/conf/$link/disable_ipv6"; fi
  ip link set "$link" up
  local network
  for network in "$pod_cidr" "$service_cidr"; do
    ip route add unreachable "$network" metric 4096
    ip route add "$network" via "$node_ip" dev "$link"
  done
}

disconnect_node() { # needs use_slot
  if [[ -e /sys/class/net/$link ]]; then ip link delete "$link" 2>/dev/null || true; fi
  local network
  for network in "$pod_cidr" "$service_cidr"; do
    ip route delete unreachable "$network" metric 4096 2>/dev/null || true
  done
}
