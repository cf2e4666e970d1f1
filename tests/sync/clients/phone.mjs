// One start of the app: `node phone.mjs STORE SERVER PAGE_ROWS CONTRACT COMMANDS`, where COMMANDS is JSON, a list of
// [method, ...arguments] of the small client. Prints what each of them returned, or the code with which it failed.
import { Client } from './small_client.mjs';

const [store, server, pageRows, contract, commands] = process.argv.slice(2);
const client = new Client(store, server, Number(pageRows), Number(contract));
const said = [];
setInterval(() => {}, 1000); // node would end while only a time limit is left to wait for
for (const [method, ...args] of JSON.parse(commands)) {
  try {
    said.push(method === 'store' ? client.s : await client[method](...args) ?? null);
  } catch (error) {
    said.push({ failed: error.code ?? 'connection_lost', why: String(error.cause ?? error) });
  }
}
console.log(JSON.stringify(said));
process.exit(0); // connections that are kept alive would hold it
