// A Yjs app's view of one note: standard input says what it was given and what its user types, standard output what it
// would send. {"update": base64 | null, "edits": [[place, removed, "inserted"], ...]} -> {"update", "text"}
import { readFileSync } from "node:fs";
import * as Y from "yjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const doc = new Y.Doc();
if (asked.update) Y.applyUpdate(doc, Buffer.from(asked.update, "base64"));
const before = Y.encodeStateVector(doc);
const body = doc.getText("body");
for (const [place, removed, inserted] of asked.edits) {
  doc.transact(() => {
    if (removed) body.delete(place, removed);
    if (inserted) body.insert(place, inserted);
  });
}
const update = Buffer.from(Y.encodeStateAsUpdate(doc, before)).toString("base64");
process.stdout.write(JSON.stringify({ update, text: body.toString() }));
