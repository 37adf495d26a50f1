// node-redis 3, whose commands take a callback.
"use strict";

const { promisify } = require("node:util");
const { run, NotOffered } = require("./cases");
const redis = require(process.env.PACKAGE);

function open(form, who, address, once) {
  const [host, port] = address.split(":");
  const more = once ? { retry_unfulfilled_commands: false } : {};
  switch (form) {
    case "auth-password": return new Client(redis.createClient({ host, port, password: who.password, ...more }));
    case "auth-user-password": return new Client(redis.createClient({ host, port, user: "default", password: who.password, ...more }));
    case "auth-user-secret": return new Client(redis.createClient({ host, port, user: who.user, password: who.secret, ...more }));
    case "auth-url": return new Client(redis.createClient(who.url(address), more));
    case "auth-url-secret": return new Client(redis.createClient(who.urlSecret(address), more));
    default: throw new NotOffered("RESP3 came with version 5");
  }
}

class Client {
  constructor(client) {
    this.redis = client;
    client.on("error", (error) => {
      console.error("event:", String(error));
      this.last = error;
      this.fail?.(error);
    });
  }
  set(key, value) { return this.#asked((done) => this.redis.set(key, value, done)); }
  del(key) { return this.#asked((done) => this.redis.del(key, done)); }
  hset(key, metadata, value) { return this.#asked((done) => this.redis.hset(key, metadata, value, done)); }
  mget(...words) { return this.#asked((done) => this.redis.mget(...words, done)); }
  pipeline(key, values, transaction) {
    const all = transaction ? this.redis.multi() : this.redis.batch();
    for (const value of values) all.set(key, value);
    return promisify(all.exec).call(all);
  }
  async close() { this.redis.end(false); }

  // After a refused AUTH a command gets no reply at all; why, the event has said.
  #asked(command) {
    return new Promise((resolve, reject) => {
      this.fail = (error) => error.command === "AUTH" && reject(error);
      if (this.last?.command === "AUTH") reject(this.last);
      command((error, reply) => (error ? reject(error) : resolve(reply)));
    });
  }
}

function kind(error, prefix) {
  if (error.code !== prefix.trim()) throw error;
  return `${error.constructor.name} with the code ${error.code} in the event \`error\`; there are no classes`;
}

run({ open, kind, once: "it never does, unless retry_unfulfilled_commands: true" });
