import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;

/** Jedis 7.2 and newer: RedisClient. */
public final class Main implements Cases.Library {
    public static void main(String[] arguments) throws Exception { Cases.run(new Main()); }

    public String once() { return "it never does"; }

    public Cases.Client open(String form, Identity who, String host, int port, boolean once) throws Exception {
        if (form.equals("auth-url")) return new Unified(RedisClient.create(who.url(host, port)));
        if (form.equals("auth-url-secret")) return new Unified(RedisClient.create(who.urlSecret(host, port)));
        return new Unified(RedisClient.builder().hostAndPort(new HostAndPort(host, port)).clientConfig(Config.of(form, who)).build());
    }
}
