# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# The cluster's certificates and kubeconfigs: made anew at every start, gone with the node.

certificate() { # folder name subject [extension ...]: signed by ca, or by itself when the name says that it is one
  local folder="$1" name="$2" subject="$3" extension
  shift 3
  local arguments=(-new -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650
    -subj "$subject" -keyout "$folder/$name.key" -out "$folder/$name.crt")
  if [[ $name == *ca ]]; then
    arguments+=(-addext "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
  else
    arguments+=(-CA "$folder/ca.crt" -CAkey "$folder/ca.key" -addext "basicConstraints=critical,CA:FALSE"
      -addext "keyUsage=critical,digitalSignature" -addext "extendedKeyUsage=serverAuth,clientAuth")
  fi
  for extension in "$@"; do arguments+=(-addext "$extension"); done
  openssl req "${arguments[@]}" 2>/dev/null || fail "openssl could not make the certificate $name"
}

encoded() { base64 -w0 "$1"; }

kubeconfig() { # folder name file: a kubeconfig that holds the certificate `name`
  cat >"$3" <<KUBECONFIG
apiVersion: v1
kind: Config
clusters:
- name: $cluster
  cluster:
    server: https://$node_ip:6443
    certificate-authority-data: $(encoded "$1/ca.crt")
users:
- name: $2
  user:
    client-certificate-data: $(encoded "$1/$2.crt")
    client-key-data: $(encoded "$1/$2.key")
contexts:
- name: $cluster
  context:
    cluster: $cluster
    user: $2
current-context: $cluster
KUBECONFIG
}

api_names() { # every address and name by which clients reach the API server
  local name
  printf 'IP:%s,IP:127.0.0.1,IP:%s,DNS:localhost,DNS:%s' "$node_ip" "$api_service_ip" "$node_name"
  for name in "" .default .default.svc .default.svc.cluster.local; do printf ',DNS:kubernetes%s' "$name"; done
}

make_pki() { # folder
  local folder="$1" name
  mkdir -p "$folder"
  (
    umask 077
    certificate "$folder" ca "/CN=$cluster-ca"
    certificate "$folder" front-proxy-ca "/CN=$cluster-front-proxy-ca"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$folder/service-accounts.key" 2>/dev/null
    openssl pkey -in "$folder/service-accounts.key" -pubout -out "$folder/service-accounts.pub"
    certificate "$folder" apiserver /CN=kube-apiserver "subjectAltName=$(api_names)"
    certificate "$folder" apiserver-kubelet-client /CN=kube-apiserver-kubelet-client
    certificate "$folder" kubelet-server "/CN=$node_name" "subjectAltName=IP:$node_ip,DNS:$node_name"
    certificate "$folder" kubelet "/O=system:nodes/CN=system:node:$node_name"
    certificate "$folder" admin /O=system:masters/CN=admin
    for name in kube-controller-manager kube-scheduler kube-proxy kube-router; do
      certificate "$folder" "$name" "/CN=system:$name"
    done
    # Signed by the second authority, which vouches for nothing but the API server's calls to extension servers.
    openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
      -subj /CN=front-proxy-client -CA "$folder/front-proxy-ca.crt" -CAkey "$folder/front-proxy-ca.key" \
      -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth \
      -keyout "$folder/front-proxy-client.key" -out "$folder/front-proxy-client.crt" 2>/dev/null
    for name in admin kubelet kube-controller-manager kube-scheduler kube-proxy kube-router; do
      kubeconfig "$folder" "$name" "$folder/$name.kubeconfig"
    done
  )
}
