import java.net.URI;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/** Jedis 4 to 7: JedisPooled. */
public final class Main implements Cases.Library {
    public static void main(String[] arguments) throws Exception { Cases.run(new Main()); }

    public String once() { return "it never does"; }

    public Cases.Client open(String form, Identity who, String host, int port, boolean once) throws Exception {
        if (form.equals("auth-url")) return new Unified(new JedisPooled(new URI(who.url(host, port))));
        if (form.equals("auth-url-secret")) return new Unified(new JedisPooled(new URI(who.urlSecret(host, port))));
        return new Unified(new JedisPooled(new HostAndPort(host, port), Config.of(form, who)));
    }
}
