// The cases of the matrix for Node libraries; ../matrix tells what a program prints and is told.
//
// run(library) wants
//
//   open(form, who, address, once)   a client, or a promise of one; `form` is one of FORMS, `once` asks for settings that never send a command twice. Throws NotOffered
//   once                             what `once` sets, in words
//   kind(error)                      the error's class, where it is the library's own for refusals; it is thrown where it is none
//
// where a client has set, pipeline, del, hset, mget and close; all give promises of the replies as the library has them, and a rejection for an error.
"use strict";

const assert = require("node:assert/strict");
const readline = require("node:readline");

const env = process.env;
const FORMS = ["auth-password", "auth-user-password", "auth-user-secret", "auth-url", "auth-url-secret", "auth-hello"];
const METADATA = Buffer.from("0a0a0a0574726163651201" + "37", "hex"); // Header { metadata: {"trace": "7"} }
const NAME = `${env.LIBRARY}-${env.VERSION}`;
const stdin = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

class NotOffered extends Error {}

class Identity {
  constructor(role, changed = {}) {
    Object.assign(this, { role, key: env.KEY, secret: env.SECRET, group: env.GROUP, topic: env.TOPIC }, changed);
  }
  get password() { return `${this.key}:${this.secret}@${this.group}/topic=${this.topic}&role=${this.role}`; }
  get user() { return `${this.key}@${this.group}/topic=${this.topic}&role=${this.role}`; }
  url(address) { return `redis://:${encodeURIComponent(this.password)}@${address}`; }
  urlSecret(address) { return `redis://${encodeURIComponent(this.user)}:${encodeURIComponent(this.secret)}@${address}`; }
}

async function run(library) {
  const publisher = async () => library.open("auth-password", new Identity("pub"), env.DATABUS, true);
  const subscriber = async () => library.open("auth-password", new Identity("sub"), env.DATABUS, true);

  async function authenticates(form) {
    const client = await library.open(form, new Identity("pub"), env.DATABUS, false);
    written(await client.set("auth", "1"));
    await client.close();
    const reader = await library.open(form, new Identity("sub"), env.DATABUS, false);
    await messages(reader);
    await reader.close();
    return client.note;
  }

  async function refused(changed, prefix) {
    let client;
    try {
      client = await library.open("auth-password", new Identity("sub", changed), env.DATABUS, true);
      await client.mget("WAIT", "0");
    } catch (error) {
      return library.kind(error, prefix);
    } finally {
      await client?.close().catch(() => {});
    }
    throw new Error("no error");
  }

  // What `send` publishes under a key comes as `values`.
  async function published(test, values, send) {
    const key = `${NAME}-${test}`;
    let client = await publisher();
    await send(client, key);
    await client.close();
    client = await subscriber();
    same((await take(client, key, values.length)).map((message) => message.value), values);
    await client.close();
  }

  async function pipeline(client, key, values, transaction) {
    const replies = await client.pipeline(key, values, transaction);
    assert.equal(replies.length, values.length);
    replies.forEach(written);
  }

  async function metadata() {
    const key = `${NAME}-metadata`;
    let client = await publisher();
    written(await client.hset(key, METADATA, "1"));
    await client.close();
    client = await subscriber();
    same((await take(client, key, 1))[0].metadata, { trace: "7" });
    await client.close();
  }

  async function consume() {
    const key = `${NAME}-consume`;
    let client = await publisher();
    await pipeline(client, key, numbers(10), false);
    await client.close();
    client = await subscriber();
    await mark(client, (await take(client, key, 10, false))[3]);
    await client.close();
    client = await subscriber();
    same((await take(client, key, 6)).map((message) => message.value), [4, 5, 6, 7, 8, 9]);
    same(await client.mget("WAIT", "100"), []);
    await client.close();
  }

  async function atOnce() {
    const key = `${NAME}-at-once`;
    let client = await publisher();
    (await Promise.all(numbers(200).map((number) => client.set(key, String(number))))).forEach(written);
    await client.close();
    client = await subscriber();
    const missing = new Set(numbers(200));
    for (let marks = [], limit = Date.now() + 60000; missing.size + marks.length > 0; ) {
      assert(Date.now() < limit, `${missing.size} of 200 did not come`);
      const [found] = await Promise.all([client.mget("COUNT", "20", "WAIT", "1000"), ...marks.map((message) => mark(client, message))]);
      marks = found.map((message) => JSON.parse(message));
      for (const message of marks) if (message.key === key) missing.delete(message.value);
    }
    await client.close();
  }

  // The clients stay; a command that fails is just tried again later.
  async function restart(what) {
    const key = `${NAME}-${what}`;
    const [out, into] = [await publisher(), await subscriber()];
    written(await out.set(key, "0"));
    await take(into, key, 1);
    const missing = new Set();
    await ask(what);
    let limit = Date.now() + 240000;
    for (let number = 1, row = 0, over = false; row < 20; number++) {
      try {
        written(await out.set(key, String(number)));
        missing.add(number);
        row++;
      } catch (error) {
        console.error("SET:", String(error));
        row = 0;
        await sleep(100);
      }
      await sleep(10);
      if (!over) [over, row] = [(await ask("over")) === "yes", 0];
      assert(Date.now() < limit, "does not come back");
    }
    const all = missing.size;
    for (limit += 120000; missing.size > 0; ) {
      assert(Date.now() < limit, `${missing.size} of ${all} lost`);
      try {
        for (const message of await messages(into)) {
          await mark(into, message);
          missing.delete(message.value);
        }
      } catch (error) {
        console.error("MGET:", String(error));
        await sleep(200);
      }
    }
    await out.close();
    await into.close();
  }

  async function sends(once) {
    await ask("breaks");
    let client;
    try {
      client = await library.open("auth-password", new Identity("pub"), env.BREAKS, once);
      await client.set("x", "1");
    } catch (error) {
      console.error("SET:", String(error));
    }
    const count = Number(await ask("breaks"));
    await client?.close().catch(() => {});
    return count;
  }

  await begin(await subscriber());
  const large = "x".repeat(999_898);
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  for (const form of FORMS) await test(form, () => authenticates(form));
  await test("wrong-secret", () => refused({ secret: "wrong" }, "WRONGPASS "));
  await test("refused-grant", () => refused({ group: env.PUB_GROUP }, "NOPERM "));
  await test("publish", () => published("publish", ["one"], async (client, key) => written(await client.set(key, '"one"'))));
  await test("publish-pipeline", () => published("pipeline", numbers(500), (client, key) => pipeline(client, key, numbers(500), false)));
  await test("publish-transaction", () => published("transaction", [0, 1], (client, key) => pipeline(client, key, [0, 1], true)));
  await test("publish-megabyte", () => published("megabyte", [large], async (client, key) => written(await client.set(key, `"${large}"`))));
  await test("publish-binary", () => published("binary", [{ base64: every.toString("base64") }], async (client, key) => written(await client.set(key, every))));
  await test("publish-metadata", metadata);
  await test("publish-tombstone", () => published("tombstone", [null], async (client, key) => assert.equal(await client.del(key), 1)));
  await test("consume", consume);
  await test("at-once", atOnce);
  await test("restart-daemon", () => restart("restart-daemon"));
  await test("restart-broker", () => restart("restart-broker"));
  await test("repeats", async () => times(await sends(false)));
  await test("repeats-off", async () => { assert.equal(await sends(true), 1); return library.once; });
  process.exit();
}

async function test(name, function_) {
  try {
    const note = await function_();
    console.log(note ? `ok ${name}: ${note}` : `ok ${name}`);
  } catch (error) {
    if (error instanceof NotOffered) console.log(`n/a ${name}: ${error.message}`);
    else console.log(`FAILED ${name}: ${String(error).replaceAll("\n", " ").slice(0, 300)}`);
  }
}

// The group begins to read; Kafka may take its time over that.
async function begin(client) {
  for (const limit = Date.now() + 60000; ; ) {
    try {
      await client.mget("WAIT", "1000");
      return await client.close();
    } catch (error) {
      if (Date.now() > limit) throw error;
    }
  }
}

async function messages(client) {
  return (await client.mget("COUNT", "1000", "WAIT", "1000")).map((message) => JSON.parse(message));
}

// The next messages with this key, so many.
async function take(client, key, count, marks = true) {
  const found = [];
  for (const limit = Date.now() + 60000; found.length < count; ) {
    assert(Date.now() < limit, `${found.length} of ${count} came`);
    for (const message of await messages(client)) {
      if (message.key === key) found.push(message);
      if (marks) await mark(client, message);
    }
  }
  return found;
}

async function mark(client, message) {
  written(await client.set(String(message.partition), String(message.offset)));
}

function written(reply) {
  assert.equal(reply, "OK");
}

function same(got, want) {
  assert.deepEqual(got, want, `got ${JSON.stringify(got).slice(0, 100)}, want ${JSON.stringify(want).slice(0, 100)}`);
}

function numbers(count) {
  return Array.from({ length: count }, (_, number) => number);
}

function times(count) {
  return { 1: "once", 2: "twice", 9: "9 times or more" }[count] ?? `${count} times`;
}

async function ask(question) {
  console.log(`? ${question}`);
  return (await stdin.next()).value;
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

module.exports = { run, NotOffered, sleep };
