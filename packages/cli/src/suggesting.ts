import { didYouMean } from '@fmri2image/core';
import { Command, type ErrorOptions, InvalidArgumentError, type Option } from 'commander';

/** A command that names what was probably meant by an option, command or choice that there is not, as all errors here do. */
export class SuggestingCommand extends Command {
  override createCommand(name?: string): SuggestingCommand {
    return new SuggestingCommand(name);
  }

  override addOption(option: Option): this {
    const { argChoices, parseArg } = option;
    if (argChoices && parseArg) {
      option.argParser((value: string, previous: unknown) => {
        if (!argChoices.includes(value)) throw noSuchChoice(value, argChoices);
        return parseArg(value, previous);
      });
      // `argParser` knows no choices; the help lists them.
      option.argChoices = argChoices;
    }
    return super.addOption(option);
  }

  override error(message: string, options?: ErrorOptions): never {
    if (options?.code === 'commander.excessArguments') {
      super.error(`${message}${sizeApart(this) ?? excess(this)}`, options);
    }
    const known = knownNames(this, options?.code);
    const [, name] = known ? (/'([^']+)'/.exec(message) ?? []) : [];
    return super.error(name === undefined ? message : `${message}${didYouMean(name, known!)}`, options);
  }
}

/** Names among which one was sought: those of the program's options count as those of its commands. */
function knownNames(command: Command, code: string | undefined): string[] | undefined {
  const help = command.createHelp();
  if (code === 'commander.unknownCommand') return help.visibleCommands(command).map((one) => one.name());
  if (code !== 'commander.unknownOption') return undefined;
  const all: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) {
    all.push(...help.visibleOptions(at).flatMap(({ long }) => long ?? []));
  }
  return all;
}

/** `--memory 3 GB`: a shell takes the unit for an argument of its own. */
function sizeApart(command: Command): string | undefined {
  let root = command;
  while (root.parent) root = root.parent;
  const words: readonly string[] = (root as Command & { rawArgs: readonly string[] }).rawArgs;
  const at = words.findIndex((word, i) => i > 1 && UNIT.test(word) && /^\d+(\.\d+)?$/.test(words[i - 1]!));
  if (at < 0) return undefined;
  const option = words[at - 2]!;
  return ` A size is written without a blank: ${option.startsWith('--') ? `${option} ` : ''}${words[at - 1]}${words[at]}`;
}

const UNIT = /^[kmgt]?i?b$/i;

/** Those that are too many, which may be quoted wrongly or belong to an option. */
function excess({ args, registeredArguments }: Command): string {
  return ` Not expected: ${args.slice(registeredArguments.length).join(' ')}`;
}

const noSuchChoice = (value: string, choices: readonly string[]) =>
  new InvalidArgumentError(`expected ${choices.join(', ')}${didYouMean(value, choices)}`);
