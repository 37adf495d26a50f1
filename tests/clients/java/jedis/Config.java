import redis.clients.jedis.DefaultJedisClientConfig;

/** What Jedis is told for the forms of AUTH that are no URL. */
final class Config {
    static DefaultJedisClientConfig of(String form, Identity who) throws Exception {
        DefaultJedisClientConfig.Builder builder = DefaultJedisClientConfig.builder();
        switch (form) {
            case "auth-user-password" -> builder.user("default").password(who.password());
            case "auth-user-secret" -> builder.user(who.user()).password(who.secret());
            case "auth-hello" -> protocol(builder.password(who.password()), "RESP3");
            default -> {
                builder.password(who.password());
                if (!System.getenv("VERSION").matches("[34]\\..*")) protocol(builder, "RESP2");
            }
        }
        return builder.build();
    }

    private static void protocol(DefaultJedisClientConfig.Builder builder, String name) throws Exception {
        try {
            Class<?> protocol = Class.forName("redis.clients.jedis.RedisProtocol");
            builder.getClass().getMethod("protocol", protocol).invoke(builder, protocol.getField(name).get(null));
        } catch (ClassNotFoundException error) {
            throw new Cases.NotOffered("RESP3 came with version 5");
        }
    }

    private Config() {}
}
