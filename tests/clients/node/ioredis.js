// ioredis.
"use strict";

const { run, NotOffered } = require("./cases");
const Redis = require(process.env.PACKAGE);

const MAJOR = Number(process.env.VERSION.split(".")[0]);
const ONCE = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };

function open(form, who, address, once) {
  const [host, port] = address.split(":");
  const options = { host, port: Number(port), ...(once ? ONCE : {}) };
  if (form === "auth-url") return new Client(new Redis(who.url(address), once ? ONCE : {}));
  if (form === "auth-url-secret") {
    const [url, note] = MAJOR < 5 ? [`${who.urlSecret(address)}?allowUsernameInURI=true`, "with `?allowUsernameInURI=true`"] : [who.urlSecret(address)];
    return Object.assign(new Client(new Redis(url, once ? ONCE : {})), { note });
  }
  if (form === "auth-hello") {
    if (MAJOR < 6) throw new NotOffered("RESP3 came with version 6");
    options.protocol = 3;
  }
  if (form === "auth-user-secret") return new Client(new Redis({ ...options, username: who.user, password: who.secret }));
  if (form === "auth-user-password") options.username = "default";
  return new Client(new Redis({ ...options, password: who.password }));
}

class Client {
  constructor(redis) {
    this.redis = redis;
    redis.on("error", (error) => {
      console.error("event:", String(error));
      this.last = error;
    });
  }
  set(key, value) { return this.#asked(() => this.redis.set(key, value)); }
  del(key) { return this.redis.del(key); }
  hset(key, metadata, value) { return this.redis.hset(key, metadata, value); }
  mget(...words) { return this.#asked(() => this.redis.mget(...words)); }
  async pipeline(key, values, transaction) {
    const pipe = transaction ? this.redis.multi() : this.redis.pipeline();
    for (const value of values) pipe.set(key, value);
    return (await pipe.exec()).map(([error, reply]) => {
      if (error) throw error;
      return reply;
    });
  }
  async close() { this.redis.disconnect(); }

  // A command after a refused AUTH fails with NOAUTH or with the connection; why, the event has said.
  async #asked(command) {
    try {
      return await command();
    } catch (error) {
      throw this.last?.command?.name === "auth" || /WRONGPASS|NOPERM/.test(this.last?.message) ? this.last : error;
    }
  }
}

function kind(error, prefix) {
  if (!error.message.startsWith(prefix)) throw error;
  return `${error.name} in the event \`error\`, which begins with \`${prefix.trim()}\`; there are no classes`;
}

run({ open, kind, once: "autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0" });
