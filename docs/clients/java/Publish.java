import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

/** Publishes the lines of stdin, `key value`. DATABUS is host:port, DATABUS_APP is key:secret@group/topic=TOPIC. */
public class Publish {
    static final RedisClient BUS = RedisClient.builder()
        .hostAndPort(HostAndPort.from(System.getenv("DATABUS")))
        .clientConfig(DefaultJedisClientConfig.builder()
            .password(System.getenv("DATABUS_APP") + "&role=pub")
            .socketTimeoutMillis(40_000) // longer than databus tries to write a record, 30 s
            .build())
        .build();

    /** Returns when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads. */
    static void publish(String key, String value) throws InterruptedException {
        while (true) {
            try {
                BUS.set(key, value);
                return;
            } catch (JedisAccessControlException error) {
                throw error; // trying again would not help
            } catch (JedisConnectionException error) {
                System.err.println("it may have been written, again: " + error.getMessage());
            } catch (JedisDataException error) {
                if (!error.getMessage().matches("ERR (not written|may have been written).*")) throw error; // too large, say
                System.err.println("again: " + error.getMessage());
            }
            Thread.sleep(200);
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ", 2);
            publish(words[0], words.length > 1 ? words[1] : "");
        }
        BUS.close();
    }
}
