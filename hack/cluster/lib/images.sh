# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# Brings images into the node: there is no registry, so they are imported from archives.

node_has_image() { # name
  [[ "$(in_node ctr --namespace k8s.io images list --quiet "name==$1")" == "$1" ]]
}

# Names that an archive carries, one a line, after a word: `own` for those that containerd gives to what it imports all
# by itself, `noted` for those that only stand in an OCI archive.
archive_names() { # archive
  python3 -I - "$1" <<'PYTHON'
import json, sys, tarfile

with tarfile.open(sys.argv[1]) as archive:
    documents = {name: json.load(archive.extractfile(name))
                 for name in archive.getnames() if name in ("index.json", "manifest.json")}
for image in documents.get("index.json", {}).get("manifests", []):
    notes = image.get("annotations", {})
    if name := notes.get("io.containerd.image.name"):
        print("own", name)
    elif "/" in (name := notes.get("org.opencontainers.image.ref.name", "")):
        print("noted", name)
if "index.json" not in documents:
    for image in documents.get("manifest.json", []):
        for name in image["RepoTags"] or []:
            print("own", name)
PYTHON
}

# Imports an archive under a name. The archive comes in by standard input: the node does not see all of the machine's
# folders. --base-name, with a name that nothing has, keeps containerd from making further names of what is noted.
# --index-name must not give a name that containerd gives too: the name would move from the archive's index to its
# image, and the index could be collected while ctr still reads it ("content digest ...: not found").
import_archive() { # archive name names (as archive_names prints them)
  local options=(--base-name localhost/none)
  if [[ $'\n'"$3"$'\n' != *$'\n'"own $2"$'\n'* ]]; then options+=(--index-name "$2"); fi
  in_node ctr --namespace k8s.io images import "${options[@]}" - <"$1" >/dev/null
}

load_image() { # archive [name]
  need_root load
  local archive="${1:?usage: cluster load ARCHIVE [NAME]}" name="${2:-}" names=""
  node_is_running || fail "cluster $cluster is not up"
  if [[ $name ]] && node_has_image "$name"; then
    progress "$name is in the node already"
    return
  fi
  [[ -f $archive ]] || fail "there is no file $archive"
  names="$(archive_names "$archive" 2>/dev/null)" || fail "$archive is no image archive"
  if [[ -z $name ]]; then
    read -r _ name <<<"$names"
    [[ $name ]] || fail "$archive carries no name: give it as 'cluster load $archive NAME:TAG'"
    if node_has_image "$name"; then
      progress "$name is in the node already"
      return
    fi
  fi
  import_archive "$archive" "$name" "$names" || fail "importing $archive failed"
  node_has_image "$name" || fail "containerd imported $archive but knows no image $name"
  progress "loaded $name"
}

own_image() { # tool: packs its binary and imports it
  local folder archive name
  folder="$(built_folder "$1")"
  archive="$folder/image.tar"
  name="localhost/$1:${folder##*-}"
  if [[ ! -s $archive ]]; then
    python3 -I "$here/lib/archive.py" "$folder/$1" "$name" "$(uname -m)" "$archive.new"
    mv "$archive.new" "$archive"
    give_to_owner "$archive"
  fi
  import_archive "$archive" "$name" "" || fail "importing $archive failed"
}
