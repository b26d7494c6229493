# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# What a bare control plane lacks: the permissions of the node's own parts, and DNS.

kubectl_admin() { env -u HTTPS_PROXY -u https_proxy "$(bin_path)/kubectl" --kubeconfig "$state/kubeconfig" "$@"; }

api_get() { # path: what the API server says to the cluster's administrator; curl starts faster than kubectl
  curl --noproxy '*' --silent --fail --max-time 5 --cacert "$state/ca.crt" --cert "$state/admin.crt" \
    --key "$state/admin.key" "https://$node_ip:6443$1"
}

api_is_ready() { api_get /readyz >/dev/null; }

containerd_is_ready() { in_node ctr --connect-timeout 1s version >/dev/null 2>&1; }

addon_manifest() {
  sed -e "s|@DNS_IP@|$dns_ip|" -e "s|@COREDNS_IMAGE@|localhost/coredns:$(basename "$(built_folder coredns)" | sed 's/.*-//')|" \
    "$here/manifests/addons.yaml"
}

start_addons() {
  wait_for 30 containerd containerd_is_ready || show_logs_and_fail containerd
  own_image pause
  own_image coredns
  wait_for 90 "the API server" api_is_ready || show_logs_and_fail kube-apiserver
  progress "the API server answers"
  addon_manifest | kubectl_admin apply --server-side --field-manager cluster -f - >/dev/null ||
    fail "applying the add-ons failed"
  wait_for 60 "node $node_name to be ready" node_is_ready || show_logs_and_fail kubelet
  progress "node $node_name is ready"
  wait_for 60 CoreDNS dns_is_ready || show_logs_and_fail kubelet
  progress "CoreDNS is ready"
  wait_for 60 kube-proxy proxy_is_ready || show_logs_and_fail kube-proxy
  wait_for 60 kube-router firewall_is_ready || show_logs_and_fail kube-router
  progress "Services and NetworkPolicies are in force"
}

show_logs_and_fail() { # component
  tail -n 30 "$state/log/node.log" "$state/log/$1.log" >&2 || true
  fail "the cluster did not become ready; it is left as it is for a look: 'hack/cluster/cluster logs $1', then 'down'"
}
