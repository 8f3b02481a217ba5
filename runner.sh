#!/usr/bin/env bash
# Runs the pipeline in a container when an engine answers, else in .venv; RUNNER=container or RUNNER=venv decides.
#   runner.sh image                 builds the image
#   runner.sh shell | demo          a shell in it, the demo
#   runner.sh auth | pull | …       a command of pipelines/strava.py
# What it says goes to standard error, so that the output of `sql` stays usable.
set -euo pipefail

cd "$(dirname "$0")"
REPO=$PWD
IMAGE=${STRAVA_IMAGE:-strava-stats}
RUNNER=${RUNNER:-}
# what decides about the image
INPUTS=(Dockerfile .dockerignore requirements.txt pyproject.toml profiles.yml .dlt/config.toml pipelines simulator dbt_project)
# variables that the commands read (README, "Settings"; dlt and S3 have theirs)
OURS='^(STRAVA_|PER_PAGE$|ENRICH_LIMIT$|TZ$|SOURCES__|DESTINATION__|AWS_|NO_COLOR$|COLUMNS$)'

say() { if [ -t 2 ]; then printf '\033[2m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

# the engine that answers within five seconds: docker or podman; and whether it is a rootless one, whose root is the caller
find_engine() {
  local limit=(timeout 5) told
  command -v timeout >/dev/null || limit=(perl -e 'alarm shift; exec @ARGV' 5)
  ROOTLESS=false
  for ENGINE in docker podman; do
    command -v "$ENGINE" >/dev/null || continue
    case $ENGINE in
      docker) told=$("${limit[@]}" docker info --format '{{.ServerVersion}} {{.SecurityOptions}}' 2>/dev/null) || continue ;;
      podman) told=$("${limit[@]}" podman info --format '{{.Version.Version}} rootless={{.Host.Security.Rootless}}' 2>/dev/null) || continue ;;
    esac
    [[ $told == [0-9]* ]] || continue
    [[ $told != *name=rootless* && $told != *rootless=true* ]] || ROOTLESS=true
    return 0
  done
  return 1
}

# a fingerprint of what the image is made from: names and contents
fingerprint() {
  find "${INPUTS[@]}" -type f ! -path '*/__pycache__/*' ! -path 'dbt_project/target/*' ! -path 'dbt_project/logs/*' \
    ! -path 'dbt_project/dbt_packages/*' ! -name .user.yml -exec cksum {} + | LC_ALL=C sort | cksum | tr ' ' -
}

build_image() {
  local version revision
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
  revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || revision+=-dirty
  "$ENGINE" build --tag "$IMAGE" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg INPUTS="$(fingerprint)" "$@" . >&2 || return 1
  # the image that bore this name until now
  "$ENGINE" image prune --force --filter label=org.opencontainers.image.title=strava-stats >/dev/null
}

# the image, built if it is missing or if what it is made from has changed
ensure_image() {
  local built
  built=$("$ENGINE" image inspect --format '{{index .Config.Labels "strava-stats.inputs"}}' "$IMAGE" 2>/dev/null) || built=
  [ "$built" = "$(fingerprint)" ] && return 0
  say "Building the image $IMAGE (the first time: some minutes) …"
  build_image --quiet
}

# a setting as the commands will see it: the environment's, else .env's, else $2
setting() {
  local value=${!1:-}
  if [ -z "$value" ] && [ -f .env ]; then
    value=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1)
    value=${value%%[[:space:]]#*}
    value=${value%"${value##*[![:space:]]}"}
    case $value in \"*\" | \'*\') value=${value:1:${#value}-2} ;; esac
  fi
  value=${value:-$2}
  # a tilde is the caller's home: inside there is another
  case $value in \~ | \~/*) value=$HOME${value:1} ;; esac
  printf '%s' "$value"
}

under() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$2" "$1" ;; esac; }

OPTIONS=(--rm --interactive)

# Shows folder $1 to the container at the path it has here, so that messages name it rightly; makes it if it is missing.
show() {
  mkdir -p "$1" || die "$1 cannot be made: change the owner or mode of the folder above it."
  OPTIONS+=(--mount "type=bind,source=$1,target=${2:-$1}")
}

# the folders of the history, the settings and the network that a command needs
show_history() {
  local home warehouse token bronze folders folder name
  home=$(under "$(setting STRAVA_HOME "$REPO")" "$REPO")
  mkdir -p "$home" || die "$home cannot be made: choose another STRAVA_HOME."
  home=$(cd "$home" && pwd)
  warehouse=$(under "$(setting STRAVA_WAREHOUSE warehouse/strava.duckdb)" "$home")
  token=$(under "$(setting STRAVA_TOKEN_FILE secrets/strava_token.json)" "$home")
  bronze=$(setting STRAVA_BRONZE_URL data)
  folders=("$home/output" "$home/site" "$(dirname "$warehouse")" "$(dirname "$token")")
  case $bronze in *://*) ;; *) folders+=("$(under "$bronze" "$home")") ;; esac
  while read -r folder; do show "$folder"; done < <(printf '%s\n' "${folders[@]}" | sort -u)
  for name in .env .dlt/secrets.toml .dlt/config.toml; do
    [ ! -f "$name" ] || OPTIONS+=(--mount "type=bind,source=$REPO/$name,target=/app/$name,readonly")
  done
  for name in $(compgen -e | grep -E "$OURS"); do OPTIONS+=(--env "$name"); done
  OPTIONS+=(--env "STRAVA_HOME=$home" --env "STRAVA_WAREHOUSE=$warehouse" --env "STRAVA_TOKEN_FILE=$token")
  # `auth` catches the browser, `serve` answers it, and so does a Strava on this machine, on this machine's own loopback
  case "${1:-} $(setting STRAVA_API_URL '') $(setting STRAVA_OAUTH_URL '')" in
    auth\ * | serve\ * | *//localhost* | *//127.* | *//\[::1\]*) OPTIONS+=(--network host) ;;
  esac
}

run_container() {
  # read-only: what would be written beside the folders is refused, not lost with the container
  OPTIONS+=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --stop-timeout 60)
  if [ "$ROOTLESS" = true ]; then OPTIONS+=(--user 0:0); else OPTIONS+=(--user "$(id -u):$(id -g)"); fi
  [ "$ENGINE" = docker ] || OPTIONS+=(--security-opt label=disable)
  if [ -t 0 ] && [ -t 1 ]; then OPTIONS+=(--tty); fi
  case ${1:-} in
    demo)
      show "$REPO/demo" /app/demo
      exec "$ENGINE" run "${OPTIONS[@]}" --entrypoint python "$IMAGE" -m simulator.demo
      ;;
    shell)
      show_history
      exec "$ENGINE" run "${OPTIONS[@]}" --entrypoint bash "$IMAGE"
      ;;
    *)
      show_history "$@"
      exec "$ENGINE" run "${OPTIONS[@]}" "$IMAGE" "$@"
      ;;
  esac
}

run_venv() {
  make --silent --no-print-directory .venv/.runtime >&2
  case ${1:-} in
    shell) PATH=$REPO/.venv/bin:$PATH exec bash ;;
    demo) exec .venv/bin/python -m simulator.demo ;;
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
