# shellcheck shell=bash disable=SC2154 # names come from node.env and node-init
# The node's daemons, as its first process starts them: the control plane first, and the rest when it answers.
# Runs inside the node; node_name and the addresses come from node.env.

PATH="/run/node/bin:/usr/sbin:/usr/bin:/sbin:/bin"
pki=/var/lib/pki
config=/var/lib/config
: "${node_name:?}" "${node_ip:?}" "${pod_cidr:?}" "${service_cidr:?}"

note() { printf '%s %s\n' "$(date +%T.%3N)" "$*"; }

# Runs a command for ever, its output in /var/log/<name>.log.
supervise() { # name command...
  local name="$1"
  shift
  (
    trap - ERR
    set +e
    while :; do
      "$@" >>"/var/log/$name.log" 2>&1
      note "$name ended with exit status $?; starting it again"
      sleep 1
    done
  ) &
}

ask() { # path: what the API server says to the node's administrator
  curl --silent --fail --max-time 5 --cacert $pki/ca.crt --cert $pki/admin.crt --key $pki/admin.key \
    "https://$node_ip:6443$1"
}

start_etcd() {
  # No fsync: the data live no longer than the node.
  supervise etcd etcd --name node --data-dir /var/lib/etcd --unsafe-no-fsync --logger zap --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster node=http://127.0.0.1:2380
}

start_apiserver() {
  supervise kube-apiserver kube-apiserver --advertise-address "$node_ip" --secure-port 6443 \
    --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$service_cidr" --allow-privileged \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --client-ca-file $pki/ca.crt --tls-cert-file $pki/apiserver.crt --tls-private-key-file $pki/apiserver.key \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority $pki/ca.crt \
    --kubelet-client-certificate $pki/apiserver-kubelet-client.crt \
    --kubelet-client-key $pki/apiserver-kubelet-client.key \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file $pki/service-accounts.pub --service-account-signing-key-file $pki/service-accounts.key \
    --requestheader-client-ca-file $pki/front-proxy-ca.crt --requestheader-allowed-names front-proxy-client \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file $pki/front-proxy-client.crt --proxy-client-key-file $pki/front-proxy-client.key \
    --profiling=false
}

start_controllers() {
  local name
  local -A more=(
    [kube-controller-manager]="--cluster-cidr $pod_cidr --allocate-node-cidrs --node-cidr-mask-size 24
      --service-cluster-ip-range $service_cidr --use-service-account-credentials
      --service-account-private-key-file $pki/service-accounts.key --root-ca-file $pki/ca.crt
      --cluster-signing-cert-file $pki/ca.crt --cluster-signing-key-file $pki/ca.key
      --flex-volume-plugin-dir /var/lib/kubelet/volume-plugins"
    [kube-scheduler]=""
  )
  for name in kube-controller-manager kube-scheduler; do
    # The default rates make the controllers' start wait for seconds. One replica has nobody to elect against.
    # shellcheck disable=SC2086 # words are meant
    supervise $name $name --kubeconfig $pki/$name.kubeconfig --authentication-kubeconfig $pki/$name.kubeconfig \
      --authorization-kubeconfig $pki/$name.kubeconfig --leader-elect=false --kube-api-qps 300 --kube-api-burst 600 \
      --bind-address 127.0.0.1 --profiling=false ${more[$name]}
  done
}

start_kubelet() {
  supervise kubelet kubelet --config $config/kubelet.yaml --kubeconfig $pki/kubelet.kubeconfig \
    --hostname-override "$node_name" --node-ip "$node_ip"
}

start_network() {
  supervise kube-proxy kube-proxy --config $config/kube-proxy.yaml
  # kube-router gives up when there is no Node, so it comes last.
  until ask "/api/v1/nodes/$node_name" | grep '"podCIDR"' >/dev/null; do sleep 0.1; done
  supervise kube-router kube-router --kubeconfig $pki/kube-router.kubeconfig --hostname-override "$node_name" \
    --service-cluster-ip-range "$service_cidr"
}

run_node() {
  note "starting etcd, the API server and containerd"
  start_etcd
  start_apiserver
  supervise containerd containerd --config $config/containerd.toml
  until ask /readyz >/dev/null; do sleep 0.1; done
  note "the API server is ready; starting the rest"
  start_kubelet
  start_controllers
  start_network
  note "all daemons are started"
  while :; do wait -n || sleep 0.1; done
}
