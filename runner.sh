#!/usr/bin/env bash
# Runs the pipeline in a container if an engine answers, otherwise in .venv; RUNNER=container or RUNNER=venv decides.
#   runner.sh image                 builds the image
#   runner.sh shell | demo          a shell in it, the demo
#   runner.sh auth | pull | …       a command of pipelines/strava.py
# Its messages go to standard error, so that the output of `sql` stays usable.
set -euo pipefail
# standard error may be a pipe without a reader
trap '' PIPE

cd "$(dirname "$0")"
REPO=$PWD
IMAGE=${STRAVA_IMAGE:-strava-stats}
RUNNER=${RUNNER:-}
# what the image depends on
INPUTS=(Dockerfile .dockerignore requirements.txt pyproject.toml profiles.yml .dlt/config.toml pipelines simulator dbt_project)
# variables that the commands read (docs/reference/settings.md; dlt and S3 have their own)
PROXIES='(HTTP|HTTPS|ALL|NO)_PROXY$|(http|https|all|no)_proxy$'
OURS="^(STRAVA_|PER_PAGE\$|ENRICH_LIMIT\$|TZ\$|SOURCES__|DESTINATION__|AWS_|NO_COLOR\$|COLUMNS\$|$PROXIES)"
# those of them that name a file, which the container has to see
FILES="REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE AWS_CA_BUNDLE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE"
FILES+=" AWS_WEB_IDENTITY_TOKEN_FILE"

# a message that cannot be written does not stop the run
say() { if [ -t 2 ]; then printf '\033[2m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi || true; }
die() { printf 'error: %s\n' "$*" >&2 || true; exit 2; }

# the engine that answers within five seconds, docker or podman, and whether it is rootless: its root is then the caller
find_engine() {
  local limit=(timeout 5) answer
  command -v timeout >/dev/null || limit=(perl -e 'alarm shift; exec @ARGV' 5)
  ROOTLESS=false
  for ENGINE in docker podman; do
    command -v "$ENGINE" >/dev/null || continue
    case $ENGINE in
      docker) answer=$("${limit[@]}" docker info --format '{{.ServerVersion}} {{.SecurityOptions}}' 2>/dev/null) || continue ;;
      podman) answer=$("${limit[@]}" podman info --format '{{.Version.Version}} rootless={{.Host.Security.Rootless}}' 2>/dev/null) || continue ;;
    esac
    [[ $answer == [0-9]* ]] || continue
    [[ $answer != *name=rootless* && $answer != *rootless=true* ]] || ROOTLESS=true
    return 0
  done
  return 1
}

# a fingerprint of the image's inputs: names and contents
fingerprint() {
  find "${INPUTS[@]}" -type f ! -path '*/__pycache__/*' ! -path 'dbt_project/target/*' ! -path 'dbt_project/logs/*' \
    ! -path 'dbt_project/dbt_packages/*' ! -name .user.yml -exec cksum {} + | LC_ALL=C sort | cksum | tr ' ' -
}

build_image() {
  local version revision name behind=()
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
  revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || revision+=-dirty
  # it may have to install through a proxy
  for name in $(compgen -e | grep -E "^($PROXIES)"); do behind+=(--build-arg "$name"); done
  "$ENGINE" build --tag "$IMAGE" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    "${behind[@]+"${behind[@]}"}" --build-arg INPUTS="$(fingerprint)" "$@" . >&2 || return 1
  # the image that had this name until now
  "$ENGINE" image prune --force --filter label=org.opencontainers.image.title=strava-stats >/dev/null
}

# the image, built if it is missing or its inputs have changed
ensure_image() {
  local built
  built=$("$ENGINE" image inspect --format '{{index .Config.Labels "strava-stats.inputs"}}' "$IMAGE" 2>/dev/null) || built=
  [ "$built" = "$(fingerprint)" ] && return 0
  say "Building the image $IMAGE (the first time: some minutes) …"
  build_image --quiet
}

under() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$2" "$1" ;; esac; }

OPTIONS=(--rm)
SHOWN=()

# Mounts $1 of this machine, at the same path unless $2 is given, so that messages name the right one; $3: readonly.
bind_mount() {
  local at=${2:-$1} known field mount=type=bind
  for known in "${SHOWN[@]+"${SHOWN[@]}"}"; do [ "$known" != "$at" ] || return 0; done
  SHOWN+=("$at")
  for field in "source=$1" "target=$at" ${3:+"$3"}; do
    # the engine reads these as a line of CSV
    case $field in *[,\"]* | *$'\n'*) field=\"${field//\"/\"\"}\" ;; esac
    mount+=,$field
  done
  OPTIONS+=(--mount "$mount")
}

# Mounts folder $1 in the container for writing; creates it if it is missing.
show() {
  mkdir -p -- "$1" || die "$1 cannot be created: change the owner or mode of the folder above it."
  [ "$1" != / ] || die "a setting names a file in /, which cannot be mounted in a container: choose another folder."
  bind_mount "$@"
}

# Mounts the folder of file $1 and, if that is a link, the folder of its target.
show_folder_of() {
  show "$(dirname -- "$1")"
  [ ! -L "$1" ] || show "$(dirname -- "$(readlink -f -- "$1")")"
}

# the files of settings and the variables that the commands read
show_settings() {
  local name value
  for name in .env .dlt/secrets.toml .dlt/config.toml; do
    [ ! -f "$name" ] || bind_mount "$REPO/$name" "/app/$name" readonly
  done
  for name in $(compgen -e | grep -E "$OURS"); do OPTIONS+=(--env "$name"); done
  for name in $FILES; do
    value=${!name:-}
    case $value in "") continue ;; \~/*) value=$HOME${value:1} ;; esac
    value=$(under "$value" "$REPO")
    OPTIONS+=(--env "$name=$value")
    [ ! -e "$value" ] || bind_mount "$value" "$value" readonly
  done
}

# the folders of the history and the network that a command needs
show_history() {
  local asked answer home token warehouse bronze publish watch network
  # a tilde is the caller's home, and STRAVA_HOME is the caller's, not the image's
  asked=(--network none --env "HOME=${HOME:-/}" --env "STRAVA_HOME=${STRAVA_HOME:-}" --entrypoint python)
  answer=$("$ENGINE" run "${OPTIONS[@]}" "${asked[@]}" "$IMAGE" -m pipelines.places "$REPO") || exit
  eval "$answer"
  mkdir -p -- "$home" || die "$home cannot be created: choose another STRAVA_HOME."
  home=$(cd -- "$home" && pwd -P)
  warehouse=$(under "$warehouse" "$home")
  token=$(under "$token" "$home")
  OPTIONS+=(--env "STRAVA_HOME=$home" --env "STRAVA_WAREHOUSE=$warehouse" --env "STRAVA_TOKEN_FILE=$token")
  show "$home/output"
  show_folder_of "$home/site/index.html"
  show_folder_of "$warehouse"
  show_folder_of "$token"
  if [ -n "$bronze" ]; then
    bronze=$(under "$bronze" "$home")
    show "$bronze"
    OPTIONS+=(--env "STRAVA_BRONZE_URL=$bronze")
  fi
  if [ -n "$publish" ]; then
    publish=$(under "$publish" "$home")
    show_folder_of "$publish"
    OPTIONS+=(--env "STRAVA_PUBLISH=$publish")
  fi
  if [ -n "$watch" ]; then
    watch=$(under "$watch" "$home")
    [ ! -d "$watch" ] || bind_mount "$watch" "$watch" readonly
    OPTIONS+=(--env "STRAVA_WATCH=$watch")
  fi
  # `auth` and `serve` listen on the host's loopback address, and a Strava or a proxy on this machine may do so too
  case "${1:-} $network" in
    auth\ * | serve\ * | *\ host) OPTIONS+=(--network host) ;;
  esac
}

# Passes on standard input. An engine's client complains if the reader closes the pipe: this hides that from it.
relay() {
  local code=0
  (trap - PIPE && exec cat) || code=$?
  cat >/dev/null
  case $code in
    0 | 141) ;;
    *) return 6 ;;
  esac
}

# Mounts the exports and folders that `import` is to read at their own paths, and passes these paths on.
show_exports() {
  local argument options=true
  IMPORT=()
  for argument in "$@"; do
    case $options$argument in
      true--watch=*) IMPORT+=(--watch); argument=${argument#*=} ;;
      true--) options=false; IMPORT+=(--); continue ;;
      true-*) IMPORT+=("$argument"); continue ;;
    esac
    case $argument in \~/*) argument=$HOME${argument:1} ;; esac
    argument=$(under "$argument" "$PWD")
    [ ! -e "$argument" ] || bind_mount "$argument" "$argument" readonly
    IMPORT+=("$argument")
  done
}

run_container() {
  local codes=(0 0)
  # read-only: what would be written outside the folders is refused instead of lost with the container
  OPTIONS+=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges)
  if [ "$ROOTLESS" = true ]; then OPTIONS+=(--user 0:0); else OPTIONS+=(--user "$(id -u):$(id -g)"); fi
  [ "$ENGINE" = docker ] || OPTIONS+=(--security-opt label=disable)
  if [ "${1:-}" != demo ]; then
    show_settings
    show_history "$@"
  fi
  OPTIONS+=(--interactive --stop-timeout 60)
  if [ -t 0 ] && [ -t 1 ]; then OPTIONS+=(--tty); fi
  if [ "${1:-}" = import ]; then
    shift
    show_exports "$@"
    set -- import "${IMPORT[@]+"${IMPORT[@]}"}"
  fi
  case ${1:-} in
    demo)
      show "$REPO/demo" /app/demo
      exec "$ENGINE" run "${OPTIONS[@]}" --entrypoint python "$IMAGE" -m simulator.demo "${@:2}"
      ;;
    shell)
      exec "$ENGINE" run "${OPTIONS[@]}" --entrypoint bash "$IMAGE"
      ;;
    sql | status)
      if [ -t 1 ]; then exec "$ENGINE" run "${OPTIONS[@]}" "$IMAGE" "$@"; fi
      "$ENGINE" run "${OPTIONS[@]}" "$IMAGE" "$@" | relay || codes=("${PIPESTATUS[@]}")
      [ "${codes[0]}" = 0 ] || exit "${codes[0]}"
      exit "${codes[1]}"
      ;;
    *)
      exec "$ENGINE" run "${OPTIONS[@]}" "$IMAGE" "$@"
      ;;
  esac
}

run_venv() {
  make --silent --no-print-directory .venv/.runtime >&2
  case ${1:-} in
    shell)
      trap - PIPE
      PATH=$REPO/.venv/bin:$PATH exec bash
      ;;
    demo) exec .venv/bin/python -m simulator.demo "${@:2}" ;;
    *) exec .venv/bin/python pipelines/strava.py "$@" ;;
  esac
}

case $RUNNER in
  "" | container | venv) ;;
  *) die "RUNNER is '$RUNNER': it must be container or venv." ;;
esac
if [ "${1:-}" = image ]; then
  find_engine || die "no container engine answers: start Docker or Podman first."
  build_image
  exit
fi
if [ "$RUNNER" = venv ]; then
  say "In .venv."
  run_venv "$@"
fi
if ! find_engine; then
  [ "$RUNNER" != container ] || die "no container engine answers: start Docker or Podman, or use RUNNER=venv."
  say "In .venv: no container engine answers."
  run_venv "$@"
fi
if ! ensure_image; then
  [ "$RUNNER" != container ] || die "the image could not be built: see above, or use RUNNER=venv."
  say "In .venv: the image could not be built (see above)."
  run_venv "$@"
fi
say "In a container of the image $IMAGE ($ENGINE)."
run_container "$@"
