// tus-js-client uploads one file as its documentation shows it. Standard input: {"endpoint", "token", "path", "metadata",
// "chunk": bytes of one request or null, "delays": [milliseconds], "url": an upload to go on with or null}. Standard
// output: {"url", "error": {"status", "body"} | null, "sent": how many requests were made, "progress": the last one}.
import { readFileSync, createReadStream, statSync } from "node:fs";
import * as tus from "tus-js-client";

const asked = JSON.parse(readFileSync(0, "utf8"));
let sent = 0;
let progress = 0;
const say = (upload, error) => {
  const answer = error?.originalResponse;
  const told = error ? { status: answer?.getStatus() ?? 0, body: answer?.getBody() ?? String(error) } : null;
  process.stdout.write(JSON.stringify({ url: upload.url, error: told, sent, progress }), () => process.exit(0));
};
const size = statSync(asked.path).size;
const upload = new tus.Upload(asked.chunk ? createReadStream(asked.path) : readFileSync(asked.path), {
  endpoint: asked.endpoint,
  uploadUrl: asked.url ?? undefined,
  uploadSize: size,
  chunkSize: asked.chunk ?? Infinity,
  retryDelays: asked.delays,
  metadata: asked.metadata,
  headers: { Authorization: `Bearer ${asked.token}` },
  onBeforeRequest: () => { sent += 1; },
  onProgress: (bytes) => { progress = bytes; },
  onSuccess: () => say(upload, null),
  onError: (error) => say(upload, error),
});
upload.start();
