// An offline client in 150 lines, written from docs/mobile.md alone: numbers in brackets are sections of that page. The
// store is one JSON file, written whole and renamed, which is its transaction. One process at a time.
import fs from 'node:fs';
const EMPTY = {
  user_key: null, device_id: null, access_token: null, refresh_token: null, registration: 'active', epoch: null,
  cursor: null, generation: 0, sweeping: false, next_n: 1, expected_n: 1, durable_n: 0, push_seq: 0, seen_seq: -1,
  lease_until: null, rows: {}, memberships: {}, outbox: [],
};
const STATUS = { 'visit.check_in': 'checked_in', 'visit.check_out': 'completed', 'conflict.restore': 'restored',
  'conflict.dismiss': 'dismissed', 'refusal.dismiss': 'dismissed' };
const clone = (value) => JSON.parse(JSON.stringify(value));
const id = (entity, key) => `${entity}/${key}`;
const safe = (s, o) => o.outcome !== null && o.n <= s.durable_n && o.seq <= s.seen_seq;
const keep = (s, told) => Object.assign(s, { access_token: told.access_token, refresh_token: told.refresh_token,
  device_id: told.device_id, user_key: told.user.key });

export class Client {
  constructor(file, server, pageRows = 5000, contract = 2) {
    Object.assign(this, { file, server, pageRows, contract });
    this.s = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : clone(EMPTY);
  }
  transaction(work) { // all of it or nothing (14)
    const next = clone(this.s), result = work(next);
    fs.writeFileSync(`${this.file}.new`, JSON.stringify(next), { flush: true });
    fs.renameSync(`${this.file}.new`, this.file);
    this.s = next;
    return result;
  }
  async post(path, body, token) { // what is not a whole answer is a lost connection (19)
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
    const asked = { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(60_000) };
    const answer = await fetch(this.server + path, asked);
    const told = await answer.json();
    if (answer.ok) return told;
    throw Object.assign(new Error(`${told.code}: ${told.detail}`), told);
  }
  async login(email, password) { // (1, 13)
    const known = this.s.registration !== 'reused' && this.s.device_id ? { id: this.s.device_id } : {};
    const device = { name: 'small client', platform: 'node', app_version: '1', ...known };
    const told = await this.post('/auth/login', { email, password, device });
    if (this.s.user_key && this.s.user_key !== told.user.key) throw new Error('this store is another user\'s');
    this.transaction((s) => {
      if (s.device_id && s.device_id !== told.device_id) Object.assign(s, { registration: 'moving', cursor: null });
      keep(s, told);
    });
  }
  edit(entity, key, kind, set = {}, unit = undefined) { // (5)
    if (this.s.registration === 'revoked') throw new Error('revoked');
    return this.transaction((s) => {
      const base = kind === 'create' ? 0 : s.rows[id(entity, key)]?.rev ?? 0;
      const mutation = { n: s.next_n, entity, key, kind, at: Date.now(), base, set, unit, contract: this.contract };
      s.outbox.push({ n: s.next_n, mutation, outcome: null, rev: 0, seq: 0, receipt: null });
      return s.next_n++;
    });
  }
  view(entity) { // key -> row, with the queue on top (5)
    const found = {};
    for (const row of Object.values(this.s.rows)) if (row.entity === entity) found[row.key] = clone(row.doc);
    for (const { mutation: m, outcome, seq } of this.s.outbox) {
      const open = outcome === null || (['applied', 'merged'].includes(outcome) && seq > this.s.seen_seq);
      if (m.entity !== entity || !open) continue;
      if (m.kind === 'delete') delete found[m.key];
      else if (m.kind === 'create') found[m.key] = { ...found[m.key], ...m.set };
      else if (m.kind === 'update') found[m.key] &&= { ...found[m.key], ...m.set };
      else if (STATUS[m.kind] && found[m.key]) found[m.key].status = STATUS[m.kind];
    }
    return found;
  }
  async sync() { // one at a time for each store (20)
    for (let pushing = true; ;) {
      const answer = await this.send(this.request(pushing && this.s.registration === 'active'));
      const before = this.s.expected_n, news = this.transaction((s) => this.take(s, answer));
      if (answer.push?.stopped && !news && this.s.expected_n === before) pushing = false;
      const waits = pushing && this.s.registration === 'active' && this.s.outbox.some((o) => o.outcome === null);
      if (answer.page.caught_up && !waits) return;
    }
  }
  request(pushing) {
    const s = this.s, first = s.outbox[0]?.n ?? s.next_n;
    let head = s.outbox.filter((o) => o.outcome === null).slice(0, 500).map((o) => o.mutation);
    const { id: cut, size } = head.at(-1)?.unit ?? {}; // a unit that would be cut waits (9)
    if (cut && head.filter((m) => m.unit?.id === cut).length < size) head = head.filter((m) => m.unit?.id !== cut);
    const skip = pushing && s.expected_n < first ? { first_n: s.expected_n, last_n: first - 1 } : undefined;
    return { user: s.user_key, now: Date.now(), contract: this.contract, cursor: s.cursor, page_rows: this.pageRows,
      mutations: pushing ? head : [], skip };
  }
  async send(request) {
    try { return await this.post('/sync', request, this.s.access_token); } catch (problem) {
      if (problem.code === 'device_wiped') this.transaction((s) => Object.assign(s, clone(EMPTY)));
      if (problem.code === 'device_revoked') await this.leave(problem.drain);
      if (!['token_expired', 'unauthenticated'].includes(problem.code)) throw problem;
    }
    const told = await this.post('/auth/refresh', { refresh_token: this.s.refresh_token });
    this.transaction((s) => keep(s, told)); // stored before it is used (16)
    return this.post('/sync', request, this.s.access_token);
  }
  async leave(drain) { // all that is kept goes to be looked at, then the store is erased (16)
    this.transaction((s) => { s.registration = 'revoked'; });
    const s = this.s, first = s.outbox[0]?.n ?? s.next_n, mutations = s.outbox.map((o) => o.mutation);
    const skip = first > 1 ? { first_n: 1, last_n: first - 1 } : undefined;
    const body = { user: s.user_key, now: Date.now(), mutations, skip };
    if (drain && (await this.post('/sync/drain', body, s.access_token)).next_part !== null) return;
    this.transaction((t) => Object.assign(t, clone(EMPTY)));
  }
  take(s, { epoch, push, page, now, lease_until: until }) { // in the order of (14)
    if (s.epoch !== null && s.epoch !== epoch) { // a restored server (13)
      Object.assign(s, { cursor: null, seen_seq: -1, push_seq: 0, durable_n: 0 });
      for (const o of s.outbox) Object.assign(o, { seq: 0 }, push ? {} : { outcome: null });
    }
    if (s.registration === 'moving') { // the queue goes to a new registration, from 1 on (13)
      s.outbox = s.outbox.filter((o) => o.outcome === null);
      s.outbox.forEach((o, i) => { o.n = o.mutation.n = i + 1; });
      Object.assign(s, { next_n: s.outbox.length + 1, expected_n: 1, durable_n: 0, registration: 'active' });
    }
    s.epoch = epoch;
    const news = push?.epoch === epoch ? this.receipts(s, push) : 0;
    if (page) this.page(s, page);
    s.lease_until = Date.now() + until - now;
    while (s.outbox.length && safe(s, s.outbox[0])) s.outbox.shift();
    return news;
  }
  receipts(s, push) { // -> how many are news
    const news = push.receipts.filter((r) => r.code !== 'mutation_reused'
      && s.outbox.some((o) => o.n === r.n && o.outcome === null));
    const told = new Map(news.map((r) => [r.n, { outcome: r.outcome, rev: r.rev ?? 0, seq: push.seq, receipt: r }]));
    for (const o of s.outbox) Object.assign(o, told.get(o.n), o.n >= push.expected_n ? { outcome: null } : {});
    Object.assign(s, { expected_n: push.expected_n, durable_n: push.durable_n });
    s.push_seq = Math.max(s.push_seq, push.seq);
    if (push.register_anew || push.expected_n > s.next_n) s.registration = 'reused';
    return news.length;
  }
  page(s, page) { // (4, 11, 12)
    if (page.reset) Object.assign(s, { generation: s.generation + 1, sweeping: true });
    for (const bucket of page.drops) for (const held of Object.values(s.memberships)) delete held[bucket];
    for (const { bucket, items } of page.changes) for (const { entity, key, rev, row, gone } of items) {
      const at = id(entity, key), known = s.rows[at];
      if (gone) { delete s.memberships[at]?.[bucket]; continue; }
      (s.memberships[at] ??= {})[bucket] = s.generation;
      if (known?.generation === s.generation && known.rev > rev) continue;
      s.rows[at] = { entity, key, rev, generation: s.generation, doc: row };
    }
    for (const [at, held] of Object.entries(s.memberships)) {
      const old = Object.keys(held).filter((b) => page.caught_up && s.sweeping && held[b] < s.generation);
      for (const bucket of old) delete held[bucket];
      if (!Object.keys(held).length) { delete s.memberships[at]; delete s.rows[at]; }
    }
    if (page.caught_up) Object.assign(s, { sweeping: false, seen_seq: page.seq });
    s.cursor = page.cursor;
  }
}
