import io.lettuce.core.ClientOptions;
import io.lettuce.core.api.async.BaseRedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.protocol.ProtocolVersion;
import java.util.Arrays;
import java.util.List;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.RedisCallback;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.core.StringRedisTemplate;

/** Spring Data Redis on Lettuce, as Spring Boot sets it up: one connection that all share. */
public final class Main implements Cases.Library {
    private static final ByteArrayCodec BYTES = new ByteArrayCodec();

    public static void main(String[] arguments) throws Exception { Cases.run(new Main()); }

    public String once() { return "ClientOptions.autoReconnect(false) in LettuceClientConfiguration"; }

    /** What does not repeat does not reconnect. */
    public boolean reconnectsOnce() { return false; }

    public Cases.Client open(String form, Identity who, String host, int port, boolean once) {
        RedisStandaloneConfiguration server = new RedisStandaloneConfiguration(host, port);
        switch (form) {
            case "auth-url", "auth-url-secret" -> throw new Cases.NotOffered("URLs are Spring Boot's (`spring.data.redis.url`)");
            case "auth-user-password" -> { server.setUsername("default"); server.setPassword(who.password()); }
            case "auth-user-secret" -> { server.setUsername(who.user()); server.setPassword(who.secret()); }
            default -> server.setPassword(who.password());
        }
        ClientOptions options = ClientOptions.builder().autoReconnect(!once).protocolVersion(form.equals("auth-hello") ? ProtocolVersion.RESP3 : ProtocolVersion.RESP2).build();
        LettuceConnectionFactory factory = new LettuceConnectionFactory(server, LettuceClientConfiguration.builder().clientOptions(options).build());
        factory.afterPropertiesSet();
        try {
            start(factory);
            return new Template(factory, new StringRedisTemplate(factory));
        } catch (RuntimeException error) {
            factory.destroy();
            throw error;
        }
    }

    /** Since version 3.1 a factory is started; a Spring context does that. */
    private static void start(LettuceConnectionFactory factory) {
        try {
            LettuceConnectionFactory.class.getMethod("start").invoke(factory);
        } catch (ReflectiveOperationException error) {
            // an older one needs none
        }
    }

    private record Template(LettuceConnectionFactory factory, RedisTemplate<String, String> template) implements Cases.Client {
        private <T> T with(RedisCallback<T> callback) { return template.execute(callback); }

        public String set(byte[] key, byte[] value) { return with(c -> c.set(key, value)) ? "OK" : "not OK"; }
        public long del(byte[] key) { return with(c -> c.del(key)); }

        /** Spring wants a number for a reply, also in {@code execute}; Lettuce itself can be told otherwise. */
        @SuppressWarnings("unchecked")
        public String hset(byte[] key, byte[] metadata, byte[] value) throws Exception {
            CommandArgs<byte[], byte[]> arguments = new CommandArgs<>(BYTES).addKey(key).addValue(metadata).addValue(value);
            return with(c -> ((BaseRedisAsyncCommands<byte[], byte[]>) c.getNativeConnection()).dispatch(CommandType.HSET, new StatusOutput<>(BYTES), arguments)).get();
        }

        /** The library's own wants a value for each key. */
        @SuppressWarnings("unchecked")
        public List<byte[]> mget(String... words) {
            byte[][] arguments = Arrays.stream(words).map(Cases::bytes).toArray(byte[][]::new);
            return (List<byte[]>) with(c -> c.execute("MGET", arguments));
        }

        public List<?> pipeline(byte[] key, List<byte[]> values, boolean transaction) {
            List<Object> replies = with(c -> {
                if (transaction) c.multi(); else c.openPipeline();
                for (byte[] value : values) c.set(key, value);
                return transaction ? c.exec() : c.closePipeline();
            });
            return replies.stream().map(reply -> Boolean.TRUE.equals(reply) ? "OK" : reply).toList();
        }

        public void close() { factory.destroy(); }
    }
}
