# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# How the cluster is, asked of its parts.

condition_is() { # path of an object, condition, status
  api_get "$1" | python3 -I -c '
import json, sys
conditions = json.load(sys.stdin).get("status", {}).get("conditions", [])
sys.exit(not any(c["type"] == sys.argv[1] and c["status"] == sys.argv[2] for c in conditions))' "$2" "$3" 2>/dev/null
}

node_is_ready() { condition_is "/api/v1/nodes/$node_name" Ready True; }

dns_is_ready() { condition_is /apis/apps/v1/namespaces/kube-system/deployments/coredns Available True; }

proxy_is_ready() { curl --noproxy '*' --silent --fail --max-time 2 --output /dev/null "http://$node_ip:10256/healthz"; }

firewall_is_ready() { curl --noproxy '*' --silent --fail --max-time 2 --output /dev/null "http://$node_ip:20244/healthz"; }

cluster_is_healthy() {
  api_is_ready && node_is_ready && dns_is_ready && proxy_is_ready && firewall_is_ready
}

print_status() {
  if ! node_is_running; then
    echo "cluster $cluster: down"
    return 1
  fi
  [[ -r $state/admin.key ]] || fail "$state/kubeconfig is not yours to read: it belongs to whoever started the cluster"
  local verdict=healthy part word
  local -A checks=([API server]=api_is_ready [node]=node_is_ready [DNS]=dns_is_ready [kube-proxy]=proxy_is_ready
    [NetworkPolicy]=firewall_is_ready)
  for part in "API server" node DNS kube-proxy NetworkPolicy; do
    word=ready
    if ! "${checks[$part]}"; then
      word="not ready"
      verdict="not healthy"
    fi
    printf '  %-14s %s\n' "$part" "$word"
  done
  printf 'cluster %s: %s; API server https://%s:6443, pods %s, Services %s, KUBECONFIG=%s\n' \
    "$cluster" "$verdict" "$node_ip" "$pod_cidr" "$service_cidr" "$state/kubeconfig"
  [[ $verdict == healthy ]]
}

print_environment() {
  local folder
  folder="$(bin_folder)"
  printf 'export KUBECONFIG=%q\n' "$state/kubeconfig"
  # shellcheck disable=SC2016 # the reader's shell is to expand it
  printf 'export PATH=%q:"$PATH"\n' "$folder"
}
