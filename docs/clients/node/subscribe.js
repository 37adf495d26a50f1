// Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for publish.js.
const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { createClient, ErrorReply } = require("redis");

const [host, port] = process.env.DATABUS.split(":");
const bus = createClient({
  socket: { host, port: Number(port), reconnectStrategy: (_, error) => (/^(WRONGPASS|NOPERM)/.test(error.message) ? error : 200) },
  password: `${process.env.DATABUS_APP}&role=sub&offset=oldest`,
});
bus.on("error", (error) => console.error("connection:", error.message)); // it connects again by itself
let running = true;
process.on("SIGTERM", () => (running = false)); // the loop finishes what it has, and marks it

async function main() {
  const output = fs.openSync(process.argv[2], "a+");
  // What was done is known from the results themselves: they tell what comes a second time, after a crash before the mark, say.
  const done = new Map(fs.readFileSync(process.argv[2], "utf8").split("\n").slice(0, -1).map((line) => line.split(" ").slice(0, 2).map(Number)));
  await bus.connect();
  while (running) {
    try {
      const messages = (await bus.mGet(["WAIT", "1000"])).map((message) => JSON.parse(message));
      for (const { partition, offset, key, value } of messages) {
        if (offset <= (done.get(partition) ?? -1)) continue;
        fs.writeSync(output, `${partition} ${offset} ${JSON.stringify(key)} ${JSON.stringify(value)}\n`); // in one line, whatever is in them
        done.set(partition, offset);
      }
      for (const partition of new Set(messages.map((message) => message.partition))) {
        await bus.set(String(partition), String(done.get(partition))); // STALE: another one reads this partition now, and gets it again
      }
    } catch (error) {
      if (error instanceof ErrorReply && /^(WRONGPASS|NOPERM)/.test(error.message)) throw error;
      console.error("again:", error.message); // databus or Kafka is away for a while
      await sleep(500);
    }
  }
  await bus.close();
}

main();
