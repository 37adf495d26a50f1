// node-redis 4 and newer.
"use strict";

const { run, NotOffered } = require("./cases");
const redis = require(process.env.PACKAGE);

const MAJOR = Number(process.env.VERSION.split(".")[0]);

async function open(form, who, address, once) {
  const [host, port] = address.split(":");
  const options = { socket: { host, port: Number(port) } };
  if (form === "auth-url") Object.assign(options, { url: who.url(address) });
  else if (form === "auth-url-secret") Object.assign(options, { url: who.urlSecret(address) });
  else if (form === "auth-user-secret") Object.assign(options, { username: who.user, password: who.secret });
  else if (form === "auth-user-password") Object.assign(options, { username: "default", password: who.password });
  else options.password = who.password;
  if (form === "auth-hello") {
    if (MAJOR < 5) throw new NotOffered("RESP3 came with version 5");
    options.RESP = 3;
  }
  const client = redis.createClient(options);
  const refused = new Promise((_, reject) => client.on("error", (error) => {
    console.error("event:", String(error));
    if (/^(WRONGPASS|NOPERM) /.test(error.message)) reject(error);
  }));
  refused.catch(() => {});
  try {
    await Promise.race([client.connect(), refused]);
  } catch (error) {
    new Client(client).close(); // else it would go on trying
    throw error;
  }
  return new Client(client);
}

class Client {
  constructor(redis) { this.redis = redis; }
  set(key, value) { return this.redis.set(key, typeof value === "number" ? String(value) : value); }
  del(key) { return this.redis.del(key); }
  hset(key, metadata, value) { return this.redis.hSet(key, metadata, value); }
  mget(...words) { return this.redis.mGet(words); }
  pipeline(key, values, transaction) {
    const multi = this.redis.multi();
    for (const value of values) multi.set(key, String(value));
    return transaction ? multi.exec() : multi.execAsPipeline();
  }
  async close() {
    if (this.redis.destroy) this.redis.destroy();
    else await this.redis.disconnect();
  }
}

function kind(error, prefix) {
  if (!error.message.startsWith(prefix)) throw error;
  return `${error.constructor.name} in the event \`error\`, which begins with \`${prefix.trim()}\`; there are no classes, and \`connect()\` goes on trying`;
}

run({ open, kind, once: "it never does" });
