#!/usr/bin/env bash
# The state of flow.yml between two runs: one encrypted bundle, in parts, as the only commit of an orphan branch.
# `check` the secrets, `restore` before a run, `save` after it. A save only replaces what the restore of the same run
# found.
set -euo pipefail
cd "$(dirname "$0")/.."

branch=refs/heads/strava-state
# GitHub accepts files of up to 100 MB
part_size=${STATE_PART_SIZE:-95M}
work=${RUNNER_TEMP:?is where this works}/strava-state
bundle=$work/bundle
# the commit that was restored, empty on a first run; without this file nothing is saved
restored=$work/restored
token_file=secrets/strava_token.json
strava=(.venv/bin/python pipelines/strava.py)

stop() {
  echo "::error::$1"
  exit 1
}

in_state() { git --git-dir "$work/git" "$@"; }

check() {
  [ -n "${STRAVA_STATE_PASSPHRASE:-}" ] || stop "The secret STRAVA_STATE_PASSPHRASE is not set: without it anybody with access to this repository could read your activities and tokens. No request was sent to Strava. docs/guides/github-actions.md says how to set it."
}

# the token for git is in the environment, not in an argument or a file
let_git_in() {
  [ -z "${GITHUB_TOKEN:-}" ] && return
  local basic
  basic=$(printf 'x-access-token:%s' "$GITHUB_TOKEN" | base64 -w 0)
  echo "::add-mask::$basic"
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader"
  export GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $basic"
}

begin_with_secret_token() {
  [ -n "${STRAVA_REFRESH_TOKEN:-}" ] || stop "The secret STRAVA_REFRESH_TOKEN is not set: a first run needs the refresh token that make auth wrote on your machine. docs/guides/github-actions.md says how to set it."
  (
    umask 077
    mkdir -p "$(dirname "$token_file")"
    "${strava[0]}" -c 'import json, os; print(json.dumps({"refresh_token": os.environ["STRAVA_REFRESH_TOKEN"]}))' \
      > "$token_file"
  )
  cp "$token_file" "$work/token-of-secret"
}

restore() {
  check
  let_git_in
  rm -rf "$work"
  (umask 077 && mkdir -p "$work")
  git init --quiet --bare "$work/git"
  in_state remote add origin "$(git remote get-url origin)"
  in_state config core.compression 0

  local found
  found=$(in_state ls-remote origin "$branch") ||
    stop "The branch strava-state cannot be reached. Nothing was changed; run again later."
  if [ -z "$found" ]; then
    echo "There is no branch strava-state yet: this is a first run, with the token in the secret."
    begin_with_secret_token
    : > "$restored"
    return
  fi

  in_state fetch --quiet --depth 1 origin "$branch" ||
    stop "The branch strava-state cannot be fetched. Nothing was changed; run again later."
  local commit part
  commit=$(in_state rev-parse FETCH_HEAD)
  for part in $(in_state ls-tree --name-only "$commit"); do
    in_state cat-file blob "$commit:$part" >> "$bundle"
  done
  "${strava[@]}" restore "$bundle" || stop "The state was not restored. The branch strava-state is unchanged."
  if [ "${NEW_TOKEN:-false}" = true ]; then
    echo "The token in the secret replaces the one in the bundle."
    begin_with_secret_token
  fi
  echo "$commit" > "$restored"
}

save() {
  [ -f "$restored" ] || stop "No state was restored in this run, so none is saved."
  let_git_in
  # otherwise a wrong secret would be saved, and the right one never read
  if [ -f "$work/token-of-secret" ] && cmp --silent "$token_file" "$work/token-of-secret"; then
    echo "Strava has not accepted the token in the secret, so there is nothing to save."
    return
  fi
  "${strava[@]}" backup "$bundle"
  rm -f "$work"/part.*
  split --bytes "$part_size" --numeric-suffixes --suffix-length 3 "$bundle" "$work/part."

  local part tree commit wait
  tree=$(for part in "$work"/part.*; do
    printf '100644 blob %s\t%s\n' "$(in_state hash-object -w "$part")" "bundle.${part##*.}"
  done | in_state mktree)
  commit=$(
    export GIT_{AUTHOR,COMMITTER}_NAME=strava-stats GIT_{AUTHOR,COMMITTER}_EMAIL=strava-stats@localhost
    in_state commit-tree "$tree" -m "State after run ${GITHUB_RUN_ID:-by hand}"
  )
  for wait in 5 20 0; do
    if in_state push --quiet --force-with-lease="$branch:$(cat "$restored")" origin "$commit:$branch"; then
      echo "$commit" > "$restored"
      echo "The state is saved in the branch strava-state."
      return
    fi
    sleep "$wait"
  done
  stop "The state could not be pushed to the branch strava-state, which is unchanged. Strava's newest refresh token may be lost: see docs/guides/github-actions.md (A new token)."
}

case "${1:-}" in
  check | restore | save) "$1" ;;
  *) stop "Use check, restore or save." ;;
esac
