import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.output.ValueListOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Lettuce, with one connection that several threads may share, and with its own reconnecting. What version 5 does not have is looked up by its name. */
public final class Main implements Cases.Library {
    private static final ByteArrayCodec BYTES = new ByteArrayCodec();

    public static void main(String[] arguments) throws Exception { Cases.run(new Main()); }

    public String once() { return "ClientOptions.autoReconnect(false)"; }

    /** What does not repeat does not reconnect. */
    public boolean reconnectsOnce() { return false; }

    public Cases.Client open(String form, Identity who, String host, int port, boolean once) throws Exception {
        RedisClient client = RedisClient.create(uri(form, who, host, port));
        ClientOptions.Builder options = ClientOptions.builder();
        options.autoReconnect(!once);
        protocol(options, form.equals("auth-hello"));
        client.setOptions(options.build());
        try {
            return new Connection(client, client.connect(BYTES));
        } catch (RuntimeException error) {
            client.shutdown(0, 0, TimeUnit.SECONDS);
            throw error;
        }
    }

    private static RedisURI uri(String form, Identity who, String host, int port) throws Exception {
        if (form.equals("auth-url")) return RedisURI.create(who.url(host, port));
        if (!form.equals("auth-password") && !form.equals("auth-hello") && System.getenv("VERSION").startsWith("5.")) {
            throw new Cases.NotOffered("user names came with version 6; the whole string as password does");
        }
        if (form.equals("auth-url-secret")) return RedisURI.create(who.urlSecret(host, port));
        RedisURI uri = RedisURI.create(host, port);
        switch (form) {
            case "auth-user-password" -> authentication(uri, "default", who.password());
            case "auth-user-secret" -> authentication(uri, who.user(), who.secret());
            default -> authentication(uri, null, who.password());
        }
        return uri;
    }

    /** Version 7 has one name for both, version 5 no user. */
    private static void authentication(RedisURI uri, String user, String password) throws Exception {
        char[] secret = password.toCharArray();
        try {
            if (user == null) RedisURI.class.getMethod("setAuthentication", char[].class).invoke(uri, (Object) secret);
            else RedisURI.class.getMethod("setAuthentication", String.class, char[].class).invoke(uri, user, secret);
        } catch (NoSuchMethodException older) {
            if (user != null) RedisURI.class.getMethod("setUsername", String.class).invoke(uri, user);
            RedisURI.class.getMethod("setPassword", char[].class).invoke(uri, (Object) secret);
        }
    }

    private static void protocol(ClientOptions.Builder options, boolean three) throws Exception {
        try {
            Class<?> version = Class.forName("io.lettuce.core.protocol.ProtocolVersion");
            ClientOptions.Builder.class.getMethod("protocolVersion", version).invoke(options, version.getField(three ? "RESP3" : "RESP2").get(null));
        } catch (ClassNotFoundException error) {
            if (three) throw new Cases.NotOffered("RESP3 came with version 6");
        }
    }

    private record Connection(RedisClient client, StatefulRedisConnection<byte[], byte[]> connection) implements Cases.Client {
        public String set(byte[] key, byte[] value) { return connection.sync().set(key, value); }
        public long del(byte[] key) { return connection.sync().del(key); }

        /** The library's own wants a number for a reply. */
        public String hset(byte[] key, byte[] metadata, byte[] value) {
            return connection.sync().dispatch(CommandType.HSET, new StatusOutput<>(BYTES), new CommandArgs<>(BYTES).addKey(key).addValue(metadata).addValue(value));
        }

        /** The library's own wants a value for each key. */
        public List<byte[]> mget(String... words) {
            CommandArgs<byte[], byte[]> arguments = new CommandArgs<>(BYTES);
            for (String word : words) arguments.add(word);
            return connection.sync().dispatch(CommandType.MGET, new ValueListOutput<>(BYTES), arguments);
        }

        public List<?> pipeline(byte[] key, List<byte[]> values, boolean transaction) throws Exception {
            RedisAsyncCommands<byte[], byte[]> async = connection.async();
            List<RedisFuture<String>> futures = new ArrayList<>();
            connection.setAutoFlushCommands(false);
            if (transaction) async.multi();
            for (byte[] value : values) futures.add(async.set(key, value));
            if (transaction) async.exec();
            connection.flushCommands();
            connection.setAutoFlushCommands(true);
            List<String> replies = new ArrayList<>();
            for (RedisFuture<String> future : futures) replies.add(future.get(30, TimeUnit.SECONDS));
            return replies;
        }

        public void close() {
            connection.close();
            client.shutdown(0, 0, TimeUnit.SECONDS);
        }
    }
}
