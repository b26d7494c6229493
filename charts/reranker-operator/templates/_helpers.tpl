{{- /* The objects' name: the release's, with the chart's where the release's doesn't hold it. */ -}}
{{- define "reranker-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Labels that never change, for selectors. Not those of the rerankers, whose name is `reranker`. */ -}}
{{- define "reranker-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "reranker-operator.labels" -}}
{{ include "reranker-operator.selectorLabels" . }}
{{ include "reranker-operator.commonLabels" . }}
{{- end -}}

{{- /* Of every object, the rerankers that come along included. Ours go before the user's of the same name. */ -}}
{{- define "reranker-operator.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- $ours := list "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- $ours = concat $ours (include "reranker-operator.selectorLabels" . | fromYaml | keys) -}}
{{- range $name, $value := .Values.commonLabels }}
{{- if not (has $name $ours) }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "reranker-operator.rerankersName" -}}
{{ include "reranker-operator.fullname" . | trunc 53 | trimSuffix "-" }}-rerankers
{{- end -}}

{{- define "reranker-operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- with .Values.image.digest }}{{ printf "%s@%s" $.Values.image.repository . }}{{ else }}{{ printf "%s:%s" .Values.image.repository $tag }}{{ end -}}
{{- end -}}

{{- /* The namespaces served, for the selectors of monitors and policies. */ -}}
{{- define "reranker-operator.servedNamespaces" -}}
{{- if .Values.rbac.namespaces -}}
matchNames: {{ .Values.rbac.namespaces | toJson }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}

{{- define "reranker-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "reranker-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The operator's configuration file. Its keys are those of reranker_operator/settings.py. */ -}}
{{- define "reranker-operator.config" -}}
namespaces: {{ .Values.rbac.namespaces | toJson }}
images:
  gpu: {{ default (printf "reranker-service:%s" .Chart.AppVersion) .Values.images.gpu | quote }}
  cpu: {{ default (printf "reranker-service-cpu:%s" .Chart.AppVersion) .Values.images.cpu | quote }}
  bench: {{ default (printf "reranker-bench:%s" .Chart.AppVersion) .Values.images.bench | quote }}
imagePullPolicy: {{ .Values.images.pullPolicy }}
imagePullSecrets: {{ .Values.images.pullSecrets | toJson }}
resyncSeconds: {{ .Values.resyncSeconds }}
prometheusUrl: {{ .Values.prometheusUrl | default nil | toJson }}
podMonitors:
  enabled: {{ .Values.podMonitor.perReranker }}
  interval: {{ .Values.podMonitor.interval }}
  labels: {{ .Values.podMonitor.labels | toJson }}
networkPolicy:
  operatorNamespace: {{ .Release.Namespace }}
  {{- with .Values.networkPolicy.prometheus }}
  prometheus:
    {{- toYaml . | nindent 4 }}
  {{- end }}
leaderElection:
  enabled: true
  namespace: {{ .Release.Namespace }}
  name: {{ include "reranker-operator.fullname" . }}
gpuProfiles:
  {{- toYaml .Values.gpuProfiles | nindent 2 }}
{{- end -}}

{{- /* What the operator may do; a test compares it with the table in reranker_operator/rbac.py. */ -}}
{{- define "reranker-operator.rules" -}}
- apiGroups: [reranker.dev]
  resources: [rerankerdeployments]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [reranker.dev]
  resources: [rerankerbenchmarks]
  verbs: [delete, get, list, watch]
- apiGroups: [reranker.dev]
  resources: [rerankerdeployments/status, rerankerbenchmarks/status]
  verbs: [patch]
- apiGroups: [reranker.dev]
  resources: [rerankerdeployments/finalizers, rerankerbenchmarks/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims, serviceaccounts, services]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [create, delete, get, list, patch, watch]
{{- end -}}

{{- /* What is granted beside that where the operator serves the whole cluster. */ -}}
{{- define "reranker-operator.clusterRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end -}}

{{- /* What is granted in the operator's own namespace, for the election of a leader. */ -}}
{{- define "reranker-operator.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create, get, update]
{{- end -}}
