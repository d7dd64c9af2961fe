#compdef moosnn

# The sub-commands, each with its own words.
_moosnn_commands() {
@SHTAB@
}

# The words of a study: group=choice and key=value.
_moosnn_study() {
  local -a words
  if [[ $PREFIX != *=* ]]; then
    compadd -S '' -- @KEYS@
    compadd -- @FLAGS@
    return
  fi
  local key=${${PREFIX%%=*}#[+~]}
  compset -P 1 '*='
  case $key in
@GROUPS@
    data.root | study_dir)
      _files -/
      return ;;
  esac
  # Of several values, as in a sweep, the last one is being typed.
  compset -P '*,'
  compadd -- $words
}

_moosnn() {
  if (( CURRENT > 2 && ${+_moosnn_names[$words[2]]} )); then
    _moosnn_commands "$@"
    return
  fi
  local known=1
  if (( CURRENT == 2 )) && [[ $PREFIX != *=* ]]; then
    _moosnn_commands "$@" && known=0
  fi
  _moosnn_study && known=0
  return known
}

typeset -gA _moosnn_names
_moosnn_names=(@COMMANDS@)

if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
  _moosnn "$@"
else
  compdef _moosnn moosnn
fi
