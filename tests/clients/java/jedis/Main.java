import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPool;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.Transaction;

/** Jedis with a JedisPool, the connection of which is borrowed for each command. */
public final class Main implements Cases.Library {
    public static void main(String[] arguments) throws Exception { Cases.run(new Main()); }

    public String once() { return "it never does"; }

    public Cases.Client open(String form, Identity who, String host, int port, boolean once) throws Exception {
        if (form.equals("auth-url")) return new Pooled(new JedisPool(new URI(who.url(host, port))));
        if (form.equals("auth-url-secret")) return new Pooled(new JedisPool(new URI(who.urlSecret(host, port))));
        return new Pooled(new JedisPool(new HostAndPort(host, port), Config.of(form, who)));
    }

    private record Pooled(JedisPool pool) implements Cases.Client {
        public String set(byte[] key, byte[] value) {
            try (Jedis jedis = pool.getResource()) { return jedis.set(key, value); }
        }
        public long del(byte[] key) {
            try (Jedis jedis = pool.getResource()) { return jedis.del(key); }
        }
        public String hset(byte[] key, byte[] metadata, byte[] value) {
            try (Jedis jedis = pool.getResource()) { return new String((byte[]) jedis.sendCommand(Protocol.Command.HSET, key, metadata, value)); }
        }
        public List<byte[]> mget(String... words) {
            try (Jedis jedis = pool.getResource()) { return jedis.mget(Arrays.stream(words).map(Cases::bytes).toArray(byte[][]::new)); }
        }
        public List<?> pipeline(byte[] key, List<byte[]> values, boolean transaction) {
            try (Jedis jedis = pool.getResource()) {
                if (transaction) {
                    Transaction multi = jedis.multi();
                    for (byte[] value : values) multi.set(key, value);
                    return new ArrayList<>(multi.exec());
                }
                Pipeline pipeline = jedis.pipelined();
                for (byte[] value : values) pipeline.set(key, value);
                return pipeline.syncAndReturnAll();
            }
        }
        public void close() { pool.close(); }
    }
}
