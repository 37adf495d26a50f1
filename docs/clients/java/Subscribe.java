import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import redis.clients.jedis.*;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisException;

/** Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for Publish. */
public class Subscribe {
    static volatile boolean running = true;

    public static void main(String[] arguments) throws Exception {
        var config = DefaultJedisClientConfig.builder().password(System.getenv("DATABUS_APP") + "&role=sub&offset=oldest").socketTimeoutMillis(10_000).build();
        RedisClient bus = RedisClient.builder().hostAndPort(HostAndPort.from(System.getenv("DATABUS"))).clientConfig(config).build();
        PrintStream output = new PrintStream(new FileOutputStream(arguments[0], true), true, UTF_8);
        // What was done is known from the results themselves: they tell what comes a second time, after a crash before the mark, say.
        Map<Long, Long> done = new HashMap<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) done.put(Long.valueOf(line.split(" ")[0]), Long.valueOf(line.split(" ")[1]));
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            running = false; // the loop finishes what it has, and marks it
            try { main.join(); } catch (InterruptedException ignored) { }
        }));
        while (running) {
            try {
                Set<Long> read = new HashSet<>();
                for (Object reply : (List<?>) bus.sendCommand(Protocol.Command.MGET, "raw", "WAIT", "1000")) {
                    List<?> message = (List<?>) reply; // partition, offset, timestamp, key, value, headers
                    long partition = (Long) message.get(0), offset = (Long) message.get(1);
                    if (offset > done.getOrDefault(partition, -1L)) {
                        output.println(partition + " " + offset + " " + text(message.get(3)) + " " + text(message.get(4)));
                        done.put(partition, offset);
                    }
                    read.add(partition);
                }
                for (long partition : read) bus.set("" + partition, "" + done.get(partition)); // STALE: another one reads this partition now, and gets it again
            } catch (JedisAccessControlException error) {
                throw error;
            } catch (JedisException error) { // databus or Kafka is away for a while
                System.err.println("again: " + error.getMessage());
                Thread.sleep(500);
            }
        }
        bus.close();
    }

    /** In one line, whatever is in it; there may be no key, and a tombstone has no value. */
    static String text(Object bytes) {
        return bytes == null ? "null" : new String((byte[]) bytes, UTF_8).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
    }
}
