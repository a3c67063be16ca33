import { type Command, type Console, oneOf } from '@vmarea/cli';
import type { ArgsDef } from 'citty';
import { inspectCommand } from './command.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** A command as a shell completes it. */
interface Completed {
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly name: string;
    readonly description: string;
    readonly isFlag: boolean;
  }[];
}

/**
 * `completion`: a script by which a shell completes commands and options. All else is the name of a file. The script asks nobody, so
 * no Node starts at a key.
 */
export function completionOf(program: string, commands: Readonly<Record<string, Command>>): Command {
  return inspectCommand(
    'completion',
    'Print a script by which a shell completes commands, options and files',
    {
      shell: { type: 'positional', valueHint: 'SHELL', description: `One of ${SHELLS.join(', ')}` },
    },
    async ({ shell }: { readonly shell: string }, io: Console) => {
      const print = { bash, zsh, fish }[oneOf('SHELL', shell, SHELLS, 'bash')];
      io.stdout.write(print(program, completed(commands)));
    },
    [
      'completion bash > ~/.local/share/bash-completion/completions/vmarea-inspect',
      'completion fish | source',
    ],
  );
}

function completed(commands: Readonly<Record<string, Command>>): Completed[] {
  return Object.entries(commands).map(([name, { definition }]) => {
    const args = definition.args as ArgsDef;
    const { description = '' } = definition.meta as { readonly description?: string };
    return {
      name,
      description,
      options: Object.entries(args)
        .filter(([, { type }]) => type !== 'positional')
        .map(([option, { type, description: text = '' }]) => ({
          name: option,
          description: text,
          isFlag: type === 'boolean',
        })),
    };
  });
}

function bash(program: string, commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options }) =>
      `    ${name}) options='${options.map((one) => `--${one.name}`).join(' ')} --help' ;;`,
  );
  return `# bash completion for ${program}
_${identifier(program)}() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} completion help' -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    completion) COMPREPLY=($(compgen -W '${SHELLS.join(' ')}' -- "$word")); return ;;
    help) COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$word")); return ;;
  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _${identifier(program)} ${program}
`;
}

function zsh(program: string, commands: readonly Completed[]): string {
  const plain = (text: string): string => text.replace(/[[\]:'\\]/g, ' ');
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(
      (one) => `      '--${one.name}[${plain(one.description)}]${one.isFlag ? '' : ':value:_files'}'`,
    );
    return `    ${name}) _arguments \\\n${specs.join(' \\\n')} \\\n      '*:file:_files' ;;`;
  });
  return `#compdef ${program}
_${identifier(program)}() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map(({ name, description }) => `      '${name}:${plain(description)}'`).join('\n')}
      'completion:Print a completion script'
    )
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
    completion) _values shell ${SHELLS.join(' ')} ;;
  esac
}
compdef _${identifier(program)} ${program}
`;
}

function fish(program: string, commands: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const names = [...commands.map(({ name }) => name), 'completion'];
  const lines = [
    ...commands.map(
      ({ name, description }) =>
        `complete -c ${program} -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ),
    `complete -c ${program} -n __fish_use_subcommand -f -a completion -d 'Print a completion script'`,
    ...commands.flatMap(({ name, options }) =>
      options.map(
        (one) =>
          `complete -c ${program} -n '__fish_seen_subcommand_from ${name}' -l ${one.name}${one.isFlag ? '' : ' -r'} -d ${quoted(one.description)}`,
      ),
    ),
    `complete -c ${program} -n '__fish_seen_subcommand_from completion' -f -a '${SHELLS.join(' ')}'`,
  ];
  return `# fish completion for ${program}: ${names.length} commands\n${lines.join('\n')}\n`;
}

function identifier(program: string): string {
  return program.replace(/\W/g, '_');
}
