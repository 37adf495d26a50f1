// Publishes the lines of stdin, `key value`. DATABUS is host:port, DATABUS_APP is key:secret@group/topic=TOPIC.
const { createInterface } = require("node:readline");
const { setTimeout: sleep } = require("node:timers/promises");
const { createClient, ErrorReply } = require("redis");

const [host, port] = process.env.DATABUS.split(":");
const bus = createClient({
  socket: { host, port: Number(port), reconnectStrategy: (_, error) => (/^(WRONGPASS|NOPERM)/.test(error.message) ? error : 200) },
  password: `${process.env.DATABUS_APP}&role=pub`,
});
bus.on("error", (error) => console.error("connection:", error.message)); // it connects again by itself

// Resolves when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads.
async function publish(key, value) {
  for (;;) {
    try {
      return await bus.set(key, value);
    } catch (error) {
      if (error instanceof ErrorReply && !/^ERR (not written|may have been written)/.test(error.message)) throw error; // too large, say
      console.error("again:", error.message); // the connection broke, or the reply says so: it may have been written
      await sleep(200);
    }
  }
}

async function main() {
  await bus.connect();
  for await (const line of createInterface({ input: process.stdin })) {
    const [key, ...value] = line.split(" ");
    await publish(key, value.join(" "));
  }
  await bus.close();
}

main();
