// Servers as server.mjs makes them, any number of them, each with all that it knows for itself, in one process of node: to start
// one takes longer than most tests.
//
// Takes JSON lines on stdin, and answers each with a line: {"open": OPTIONS} with {"server": NUMBER, "port": N},
// {"server": NUMBER, "do": COMMAND, ...} with what that says, {"close": NUMBER} with null. It ends with stdin.

import { createInterface } from 'node:readline';

const servers = new Map();
let opened = 0;

const tasks = {
  async open(options) {
    opened += 1;
    globalThis.immichOptions = options;
    const server = await import(`./server.mjs?${opened}`); // another name is another module, with variables of its own
    servers.set(opened, server);
    return { server: opened, port: server.port };
  },
  close(number) {
    servers.get(number)?.close();
    servers.delete(number);
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { open, close, server, do: command, ...given } = JSON.parse(line);
  let said;
  if (open) said = await tasks.open(open);
  else if (close) said = tasks.close(close);
  else said = servers.get(server).commands[command](given);
  console.log(JSON.stringify(said ?? null));
}
process.exit(0);
