import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;

/** What Jedis calls unified: one object, which takes a connection of its pool for each command. */
record Unified(UnifiedJedis jedis) implements Cases.Client {
    public String set(byte[] key, byte[] value) { return jedis.set(key, value); }
    public long del(byte[] key) { return jedis.del(key); }
    public String hset(byte[] key, byte[] metadata, byte[] value) { return new String((byte[]) jedis.sendCommand(Protocol.Command.HSET, key, metadata, value)); }
    public List<byte[]> mget(String... words) { return jedis.mget(Arrays.stream(words).map(Cases::bytes).toArray(byte[][]::new)); }
    public List<?> pipeline(byte[] key, List<byte[]> values, boolean transaction) {
        if (transaction) {
            try (var multi = jedis.multi()) {
                for (byte[] value : values) multi.set(key, value);
                return multi.exec();
            }
        }
        try (var pipeline = jedis.pipelined()) {
            List<Response<String>> replies = new ArrayList<>();
            for (byte[] value : values) replies.add(pipeline.set(key, value));
            pipeline.sync();
            return replies.stream().map(Response::get).toList();
        }
    }
    public void close() { jedis.close(); }
}
