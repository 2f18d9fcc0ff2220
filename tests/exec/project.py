"""A JavaScript and TypeScript project of many modules, the same on every machine, for a bundler to work on."""

import random
from pathlib import Path

MODULES = 1200
WORDS = ["alpha", "bridge", "cache", "delta", "engine", "frame", "graph", "handle", "index", "joint"]


def module(number: int, choose: random.Random) -> str:
    """Imports some of those after it, so that the graph has no cycles and the first reaches all."""
    after = sorted({number + 1, *(choose.randrange(number + 1, MODULES) for _ in range(3))} if number + 1 < MODULES else [])
    lines = [f'import {{ value{n}, Shape{n} as S{n} }} from "./{path(n)}";' for n in after]
    words = [choose.choice(WORDS) for _ in range(4)]
    lines += [
        f"interface Options{number} {{ {words[0]}: number; {words[1]}_{number}?: string }}",
        f"const unused_{words[2]} = {{ dead: 'dropped by tree shaking', at: {number} }};",
        f"export function value{number}(options: Options{number} = {{ {words[0]}: {choose.randrange(1000)} }}): number {{",
        f"  const label = `{words[3]}-${{options.{words[1]}_{number} ?? 'none'}}`;",
        f"  let total = options.{words[0]} * {number} + label.length;",
        *(f"  total += value{n}() % {choose.randrange(2, 97)} + new S{n}(total).area();" for n in after),
        "  return total;",
        "}",
        f"export class Shape{number} {{",
        f"  #side: number; static count = {choose.randrange(50)};",
        f"  constructor(side: number) {{ this.#side = side; Shape{number}.count++; }}",
        f"  area(): number {{ return this.#side ** 2 / {choose.randrange(2, 9)}; }}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def path(number: int) -> str:
    return f"group{number % 40}/module{number}"


def write(folder: Path) -> Path:
    choose = random.Random(20)
    for number in range(MODULES):
        file = folder / "src" / f"{path(number)}.ts"
        file.parent.mkdir(parents=True, exist_ok=True)
        # A module is two folders deep in its own right: what it imports is beside its group.
        file.write_text(module(number, choose).replace('from "./', 'from "../'))
    (folder / "src" / "main.ts").write_text(f'import {{ value0 }} from "./{path(0)}";\nconsole.log(value0());\n')
    (folder / "package.json").write_text('{"name": "project", "version": "1.0.0", "type": "module"}\n')
    return folder
